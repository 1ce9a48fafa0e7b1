"""How the pool and a worker talk to each other: messages over one stream socket, strictly in turns.

A message is a prefix (magic, version, two lengths), a header in JSON and, in one kind of answer, a body; a request
brings descriptors along (SCM_RIGHTS, unix(7)). What the headers send is in `proxy.workers.messages`.

The worker decodes what strangers send, so what it says may be an attacker's words. Nothing is unpickled, and every
length is bounded before memory is given to it. Whatever else arrives, or doesn't, is `WorkerDied`: the pool kills the
worker and needs no other remedy.
"""

import json
import os
import socket
import struct
from asyncio import AbstractEventLoop
from dataclasses import dataclass, field
from typing import Any, NoReturn

from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.formats import Format
from proxy.core.planning.plan import Colour, Effect, Encoding, Line, Overlay, Plan, Trim

_PREFIX = struct.Struct("!4sHHI")
_MAGIC = b"DKRM"
_VERSION = 1
_HEADER_BYTES = 8_192
_MOST_DESCRIPTORS = 2


class WorkerDied(Exception):
    """The worker is gone, or says what no honest worker says."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, its lengths checked and its header an object; nothing else is known about it yet."""

    header: dict[str, Any]
    body: bytes = field(default=b"", repr=False)


def _plain(
    value: Format | Size | Box | Turn | Colour | Effect | Line | Overlay | Encoding | Plan | Trim,
) -> str | dict[str, Any]:
    """Give a part of a plan as `Plan.from_dict` reads it; `dataclasses.asdict` takes five times longer."""
    if isinstance(value, Format):
        return value.name
    return {name: getattr(value, name) for name in value.__slots__}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON (RFC 8259 §6)")


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_plain)
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def pack(header: dict[str, Any], body_bytes: int = 0) -> bytes:
    """Give a message's prefix and header; `body_bytes` follow it."""
    text = _ENCODER.encode(header).encode()
    if len(text) > _HEADER_BYTES:
        raise ValueError(f"a header of {len(text)} bytes is over {_HEADER_BYTES}")
    return _PREFIX.pack(_MAGIC, _VERSION, len(text), body_bytes) + text


# --- the worker's side: it trusts us, and blocks


def receive_request(server_socket: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Wait for a request; give its header and its descriptors, now the caller's. None when the pool hung up."""
    text, fds, _, _ = socket.recv_fds(server_socket, _PREFIX.size + _HEADER_BYTES, _MOST_DESCRIPTORS)
    if not text:
        return None
    _, _, header_bytes, _ = _PREFIX.unpack_from(text)
    while len(text) < _PREFIX.size + header_bytes:
        text += server_socket.recv(_HEADER_BYTES)
    return json.loads(text[_PREFIX.size :]), fds


def send(server_socket: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    """Write one message whole, by writev(2): the sandbox knows no call that could name another receiver."""
    parts = [memoryview(pack(header, len(body))), memoryview(body)]
    while parts:
        written = os.writev(server_socket.fileno(), parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts:
            parts[0] = parts[0][written:]


# --- the pool's side: it trusts nothing, and never blocks


def send_request(worker_socket: socket.socket, request: bytes, fds: list[int]) -> None:
    """Send a request and its descriptors, whole or not at all: a worker that waits has an empty buffer."""
    try:
        sent = socket.send_fds(worker_socket, [request], fds)
    except OSError as error:
        raise WorkerDied(f"It takes no request: {error.strerror}.") from error
    if sent != len(request):
        raise WorkerDied("It takes no whole request.")


def is_silent(worker_socket: socket.socket) -> bool:
    """Tell whether the worker is there and says nothing, as it should between two requests."""
    try:
        worker_socket.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def receive(loop: AbstractEventLoop, worker_socket: socket.socket, most_body_bytes: int = 0) -> Message:
    """Receive one message of at most `most_body_bytes` of body; WorkerDied when it is not one."""
    head = memoryview(bytearray(_PREFIX.size + _HEADER_BYTES))
    filled = await _fill(loop, worker_socket, head, 0, _PREFIX.size)
    magic, version, header_bytes, body_bytes = _PREFIX.unpack_from(head)
    if (magic, version) != (_MAGIC, _VERSION):
        raise WorkerDied("It speaks another language.")
    if header_bytes > _HEADER_BYTES or body_bytes > most_body_bytes:
        raise WorkerDied("It announces more than was asked for.")
    body_at = _PREFIX.size + header_bytes
    filled = await _fill(loop, worker_socket, head, filled, body_at)
    header = _object(bytes(head[_PREFIX.size : body_at]))
    body = bytearray(body_bytes)
    early = head[body_at:filled]
    if len(early) > body_bytes:
        raise WorkerDied("It says more than it announced.")
    body[: len(early)] = early
    await _fill(loop, worker_socket, memoryview(body), len(early), body_bytes)
    return Message(header, bytes(body))


async def _fill(
    loop: AbstractEventLoop, worker_socket: socket.socket, view: memoryview, filled: int, wanted: int
) -> int:
    """Receive into `view` from `filled` on until at least `wanted` bytes are there; give how many are."""
    while filled < wanted:
        try:
            count = await loop.sock_recv_into(worker_socket, view[filled:])
        except OSError as error:
            raise WorkerDied(f"It cannot be heard: {error.strerror}.") from error
        if not count:
            raise WorkerDied("It hung up.")
        filled += count
    return filled


def _object(text: bytes) -> dict[str, Any]:
    try:
        header = _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise WorkerDied("Its header is no JSON.") from error
    if not isinstance(header, dict):
        raise WorkerDied("Its header is no object.")
    return header
