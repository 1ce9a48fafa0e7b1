"""Framing of the messages between the pool and a worker, over one stream socket, one request and one answer at a time.

A message is a prefix (magic, version, two lengths), a JSON header and, in one kind of answer, a body. A request carries
descriptors (SCM_RIGHTS, unix(7)). `proxy.workers.messages` defines the headers.

A worker decodes foreign bytes, so everything it sends may have been written by an attacker. Nothing is unpickled, and
every length is checked before memory is allocated for it. Any deviation raises `WorkerDied`; the pool then kills the
worker.
"""

import json
import os
import socket
import struct
from asyncio import AbstractEventLoop
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NoReturn

from proxy.core.geometry import Box, Size, Turn
from proxy.core.media.formats import Format
from proxy.core.planning.plan import Colour, Effect, Encoding, Line, Overlay, Plan, Trim

_PREFIX = struct.Struct("!4sHHI")
_MAGIC = b"DKRM"
_VERSION = 1
_HEADER_BYTES = 8_192
_MAX_DESCRIPTORS = 2


class WorkerDied(Exception):
    """The worker is gone, or violated the protocol."""


class WorkerGone(WorkerDied):
    """The worker closed its end of the socket; usually its process has ended."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Its lengths were checked and its header is a JSON object; the contents are not checked yet."""

    header: dict[str, Any]
    body: bytes = field(default=b"", repr=False)


def _to_json(
    value: Format | Size | Box | Turn | Colour | Effect | Line | Overlay | Encoding | Plan | Trim,
) -> str | dict[str, Any]:
    """Return a part of a plan as `Plan.from_dict` reads it; `dataclasses.asdict` takes five times longer."""
    if isinstance(value, Format):
        return value.name
    return {name: getattr(value, name) for name in value.__slots__}


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON (RFC 8259 §6)")


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_to_json)
_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


def pack(header: dict[str, Any], body_bytes: int = 0) -> bytes:
    """Return the prefix and the header of a message that is followed by `body_bytes` of body."""
    text = _ENCODER.encode(header).encode()
    if len(text) > _HEADER_BYTES:
        raise ValueError(f"a header of {len(text)} bytes exceeds the limit of {_HEADER_BYTES}")
    return _PREFIX.pack(_MAGIC, _VERSION, len(text), body_bytes) + text


# --- the worker's side: it trusts the pool, and blocks


def receive_request(server_socket: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Wait for a request. Return its header and its descriptors, which the caller closes; None at the end."""
    data, fds, _, _ = socket.recv_fds(server_socket, _PREFIX.size + _HEADER_BYTES, _MAX_DESCRIPTORS)
    if not data:
        return None
    _, _, header_bytes, _ = _PREFIX.unpack_from(data)
    while len(data) < _PREFIX.size + header_bytes:
        data += server_socket.recv(_HEADER_BYTES)
    return json.loads(data[_PREFIX.size :]), fds


def send(server_socket: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    """Write one whole message with writev(2): the sandbox allows no system call that could name another receiver."""
    parts = [memoryview(pack(header, len(body))), memoryview(body)]
    while parts:
        written = os.writev(server_socket.fileno(), parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts:
            parts[0] = parts[0][written:]


# --- the pool's side: it trusts nothing, and never blocks


def send_request(worker_socket: socket.socket, request: bytes, fds: list[int]) -> None:
    """Send a whole request and its descriptors at once: the buffer of a worker that waits for a request is empty.

    Raise WorkerDied if that fails.
    """
    try:
        sent = socket.send_fds(worker_socket, [request], fds)
    except OSError as error:
        raise WorkerGone(f"The worker accepts no request: {error.strerror}.") from error
    if sent != len(request):
        raise WorkerDied("The worker does not accept a whole request.")


def is_silent(worker_socket: socket.socket) -> bool:
    """Return whether the worker is connected and has sent nothing, as is required between two requests."""
    try:
        worker_socket.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def receive(loop: AbstractEventLoop, worker_socket: socket.socket, max_body_bytes: int = 0) -> Message:
    """Receive one message with a body of at most `max_body_bytes`.

    The body is received into the memory of the `bytes` that is returned: `BytesIO.getvalue` does not copy.

    Raise WorkerDied if the message is malformed or too long.
    """
    head = memoryview(bytearray(_PREFIX.size + _HEADER_BYTES))
    filled = await _fill(loop, worker_socket, head, 0, _PREFIX.size)
    magic, version, header_bytes, body_bytes = _PREFIX.unpack_from(head)
    if (magic, version) != (_MAGIC, _VERSION):
        raise WorkerDied("The worker does not speak this protocol.")
    if header_bytes > _HEADER_BYTES or body_bytes > max_body_bytes:
        raise WorkerDied("The worker announces more bytes than the request allows.")
    body_start = _PREFIX.size + header_bytes
    filled = await _fill(loop, worker_socket, head, filled, body_start)
    header = parse_object(bytes(head[_PREFIX.size : body_start]))
    early = head[body_start:filled]
    if len(early) > body_bytes:
        raise WorkerDied("The worker sends more bytes than it announced.")
    body = BytesIO(bytes(body_bytes))
    with body.getbuffer() as view:
        view[: len(early)] = early
        await _fill(loop, worker_socket, view, len(early), body_bytes)
    return Message(header, body.getvalue())


async def _fill(
    loop: AbstractEventLoop, worker_socket: socket.socket, view: memoryview, filled: int, wanted: int
) -> int:
    """Receive into `view` from offset `filled` until at least `wanted` bytes are present. Return how many are."""
    while filled < wanted:
        try:
            count = await loop.sock_recv_into(worker_socket, view[filled:])
        except OSError as error:
            raise WorkerGone(f"The connection to the worker failed: {error.strerror}.") from error
        if not count:
            raise WorkerGone("The worker closed the connection.")
        filled += count
    return filled


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object that a worker sent. Raise WorkerDied if it is not one."""
    try:
        values = _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise WorkerDied("The message is not JSON.") from error
    if not isinstance(values, dict):
        raise WorkerDied("The message is not a JSON object.")
    return values
