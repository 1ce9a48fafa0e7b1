"""A load generator for misses: threads that block on raw sockets, each with one persistent connection.

A render takes 10 to 300 ms of a core, a request of this client about 0.1 ms on the same cores. `cost_s` is the CPU time
of the threads, which the table lists. Hits are as cheap as this client, so they are measured with wrk.
"""

import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, thread_time
from typing import NamedTuple

_TIMEOUT_S = 60.0
_CHUNK_BYTES = 262_144
_RENDERED = b'tier;desc="render"'


class BadAnswer(Exception):
    """The answer is not a 200 with a complete body, or it was not rendered although rendering is measured."""


class Load(NamedTuple):
    """The duration of a round, the size of its last body in bytes, and the client's CPU time."""

    seconds: float
    body_bytes: int
    cost_s: float


def load(port: int, targets: Sequence[str], connections: int) -> Load:
    """Request every target once, divided among the connections, each with one request at a time.

    Raise BadAnswer for an answer that was not rendered for its request.
    """
    shares = [targets[at::connections] for at in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        begun = perf_counter()
        ends = list(pool.map(lambda share: _walk(port, share), shares))
        seconds = perf_counter() - begun
    return Load(seconds, ends[0][0], sum(cost for _, cost in ends))


def get(port: int, target: str) -> bytes:
    """Return one body."""
    with _connect(port) as connection:
        return _request(connection, target)


def _walk(port: int, targets: Iterable[str]) -> tuple[int, float]:
    begun, size = thread_time(), 0
    with _connect(port) as connection:
        for target in targets:
            size = len(_request(connection, target, _RENDERED))
    return size, thread_time() - begun


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _request(connection: socket.socket, target: str, needed: bytes = b"") -> bytes:
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n".encode())
    received = connection.recv(_CHUNK_BYTES)
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise BadAnswer(f"{target[:120]}: {lines[0].decode('latin-1')}")
    if needed not in head:
        raise BadAnswer(f"{target[:120]}: The answer comes from a cache, not from a render.")
    parts, missing = [body], length - len(body)
    while missing > 0:
        parts.append(_more(connection))
        missing -= len(parts[-1])
    return b"".join(parts)


def _more(connection: socket.socket) -> bytes:
    if chunk := connection.recv(_CHUNK_BYTES):
        return chunk
    raise BadAnswer("The server closed the connection in the middle of an answer.")
