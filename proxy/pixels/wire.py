"""What the pool and a worker say to each other, over one stream socket, strictly in turns.

A message is a prefix (magic, version, two lengths), a header in JSON and, in one kind of answer, a body:

    ours    {"probe": page}         with the original's descriptor   (SCM_RIGHTS, unix(7))
            {"trim": question}      with the original's descriptor
            {"render": plan}        with the original's descriptor, and the watermark's where there is one
    theirs  {"hello": {…}}          once, when the worker has closed itself
            {"facts": {…}}
            {"box": {…}}
            {"picture": {…}}        and the body
            {"refused": code, "detail": sentence}

The worker decodes what strangers send, so what it says may be an attacker's words. Nothing is unpickled,
every length is bounded before memory is given to it, and every value has to be of the one type, in the
range and, for a picture, of the kind and size that were asked for. Whatever else arrives, or doesn't, is
`WorkerDied`: the pool kills the worker and needs no other remedy.
"""

import json
import math
import os
import re
import socket
import struct
from asyncio import AbstractEventLoop
from dataclasses import dataclass, field
from typing import Any, NoReturn

from proxy.core.derivative import Derivative
from proxy.core.errors import Damaged, NotAPicture, OverLimit, Refusal
from proxy.core.facts import Facts
from proxy.core.formats import BLURHASH, FORMATS, SNIFF_BYTES, THUMBHASH, Format, sniff
from proxy.core.geometry import Box, Size, Turn
from proxy.core.plan import Colour, Effect, Encoding, Line, Overlay, Plan, Trim
from proxy.pixels.sandbox import Walls

_PREFIX = struct.Struct("!4sHHI")
_MAGIC = b"DKRM"
_VERSION = 1
_HEADER_BYTES = 8_192
_MOST_DESCRIPTORS = 2
_BODY_SLACK_BYTES = 131_072
"""What a container, a profile and kept metadata may add to the pixels."""
_PIXEL_BYTES = 8
"""The largest pixel any of our formats holds: PNG with four channels of 16 bits."""
_DETAIL_LENGTH = 200
_LARGEST_NUMBER = 2**31 - 1
_LONGEST_S = 3_600.0
_REFUSALS: dict[str, type[Refusal]] = {kind.code: kind for kind in (NotAPicture, Damaged, OverLimit)}
"""All that a worker may refuse with."""


class WorkerDied(Exception):  # noqa: N818 - an event, which the pool answers with another worker
    """The worker is gone, or says what no honest worker says."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, its lengths checked and its header an object; nothing else is known about it yet."""

    header: dict[str, Any]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker is."""

    libvips: str
    walls: Walls


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


def ask_probe(page: int) -> bytes:
    """Give the request for the header's facts, of one page, counted from 0."""
    return pack({"probe": page})


def ask_render(plan: Plan) -> bytes:
    """Give the request to render `plan`."""
    return pack({"render": plan})


def most_bytes(plan: Plan) -> int:
    """Bound a derivative's body: no encoder of ours makes more of pixels than they are."""
    return plan.size.pixels * plan.frames * _PIXEL_BYTES + _BODY_SLACK_BYTES


# --- the worker's side: it trusts us, and blocks


def await_request(ours: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Wait for a request; give its header and its descriptors, now the caller's. None when the pool hung up."""
    text, fds, _, _ = socket.recv_fds(ours, _PREFIX.size + _HEADER_BYTES, _MOST_DESCRIPTORS)
    if not text:
        return None
    _, _, header_bytes, _ = _PREFIX.unpack_from(text)
    while len(text) < _PREFIX.size + header_bytes:
        text += ours.recv(_HEADER_BYTES)
    return json.loads(text[_PREFIX.size :]), fds


def say(ours: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    """Write one message whole, by writev(2): the sandbox knows no call that could name another receiver."""
    parts = [memoryview(pack(header, len(body))), memoryview(body)]
    while parts:
        written = os.writev(ours.fileno(), parts)
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if parts:
            parts[0] = parts[0][written:]


def hello(libvips: str, walls: Walls) -> dict[str, Any]:
    """Give the header of a worker's first words; no Landlock is ABI 0."""
    return {"hello": {"libvips": libvips, "landlock": walls.landlock or 0, "seccomp": walls.seccomp}}


def refusal(refused: Refusal) -> dict[str, Any]:
    """Give the header that tells a refusal, its sentence cut to printable characters."""
    detail = "".join(one if one.isprintable() else " " for one in refused.detail)
    return {"refused": refused.code, "detail": detail[:_DETAIL_LENGTH]}


# --- the pool's side: it trusts nothing, and never blocks


def ask(theirs: socket.socket, request: bytes, fds: list[int]) -> None:
    """Send a request and its descriptors, whole or not at all: a worker that waits has an empty buffer."""
    try:
        sent = socket.send_fds(theirs, [request], fds)
    except OSError as error:
        raise WorkerDied(f"It takes no request: {error.strerror}.") from error
    if sent != len(request):
        raise WorkerDied("It takes no whole request.")


def quiet(theirs: socket.socket) -> bool:
    """Tell whether the worker is there and says nothing, as it should between two requests."""
    try:
        theirs.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


async def listen(loop: AbstractEventLoop, theirs: socket.socket, most_body_bytes: int = 0) -> Message:
    """Receive one message of at most `most_body_bytes` of body; WorkerDied when it is not one."""
    head = memoryview(bytearray(_PREFIX.size + _HEADER_BYTES))
    filled = await _fill(loop, theirs, head, 0, _PREFIX.size)
    magic, version, header_bytes, body_bytes = _PREFIX.unpack_from(head)
    if (magic, version) != (_MAGIC, _VERSION):
        raise WorkerDied("It speaks another language.")
    if header_bytes > _HEADER_BYTES or body_bytes > most_body_bytes:
        raise WorkerDied("It announces more than was asked for.")
    body_at = _PREFIX.size + header_bytes
    filled = await _fill(loop, theirs, head, filled, body_at)
    header = _object(bytes(head[_PREFIX.size : body_at]))
    body = bytearray(body_bytes)
    early = head[body_at:filled]
    if len(early) > body_bytes:
        raise WorkerDied("It says more than it announced.")
    body[: len(early)] = early
    await _fill(loop, theirs, memoryview(body), len(early), body_bytes)
    return Message(header, bytes(body))


async def _fill(loop: AbstractEventLoop, theirs: socket.socket, view: memoryview, filled: int, wanted: int) -> int:
    """Receive into `view` from `filled` on until at least `wanted` bytes are there; give how many are."""
    while filled < wanted:
        try:
            count = await loop.sock_recv_into(theirs, view[filled:])
        except OSError as error:
            raise WorkerDied(f"It cannot be heard: {error.strerror}.") from error
        if not count:
            raise WorkerDied("It hung up.")
        filled += count
    return filled


def read_hello(message: Message) -> Hello:
    """Read a worker's first words, said before it saw any stranger's byte."""
    told = _only(message, "hello", {"libvips": str, "landlock": int, "seccomp": bool})
    return Hello(told["libvips"], Walls(told["landlock"] or None, told["seccomp"]))


def read_facts(message: Message) -> Facts:
    """Read the answer to a probe, or raise what it refuses with."""
    _raise_refused(message)
    told = _only(message, "facts", _FACTS)
    _in_range(told)
    try:
        return Facts.from_dict(told)
    except ValueError as error:
        raise WorkerDied(f"It tells {error}.") from error


def read_box(message: Message, trim: Trim) -> Box:
    """Read the answer to a trim, or raise what it refuses with; it lies within what was looked at."""
    _raise_refused(message)
    box = Box(**_only(message, "box", {"left": int, "top": int, "width": int, "height": int}))
    within = 0 <= box.left < box.left + box.width <= trim.crop.width
    if not (within and 0 <= box.top < box.top + box.height <= trim.crop.height):
        raise WorkerDied("It trims to where there is no picture.")
    return box


def read_picture(message: Message, plan: Plan) -> tuple[Derivative, float]:
    """Read the answer to a render and the seconds it took, or raise what it refuses with."""
    _raise_refused(message)
    told = _only(message, "picture", {"format": str, "width": int, "height": int, "render_s": float})
    asked = (plan.encoding.format.name, plan.size.width, plan.size.height)
    if (told["format"], told["width"], told["height"]) != asked:
        raise WorkerDied("Its picture is not the one that was asked for.")
    if not _is_of(message.body, plan.encoding.format):
        raise WorkerDied("Its picture is of another format than it says.")
    if not (math.isfinite(told["render_s"]) and 0 <= told["render_s"] < _LONGEST_S):
        raise WorkerDied("Its clock is wrong.")
    return Derivative(message.body, plan.encoding.format, plan.size.width, plan.size.height), told["render_s"]


def _is_of(body: bytes, asked: Format) -> bool:
    if asked in _PLACEHOLDERS:
        return bool(_PLACEHOLDERS[asked].fullmatch(body))
    return sniff(body[:SNIFF_BYTES]) == asked


_PLACEHOLDERS = {
    BLURHASH: re.compile(rb"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{6,166}"),
    THUMBHASH: re.compile(rb"[0-9A-Za-z+/]{7,40}={0,2}"),
}

_FACTS: dict[str, type] = {
    "format": str,
    "width": int,
    "height": int,
    "orientation": int,
    "frames": int,
    "alpha": bool,
    "icc": bool,
    "page": int,
}


def _object(text: bytes) -> dict[str, Any]:
    try:
        header = _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise WorkerDied("Its header is no JSON.") from error
    if not isinstance(header, dict):
        raise WorkerDied("Its header is no object.")
    return header


def _only(message: Message, key: str, types: dict[str, type]) -> dict[str, Any]:
    """Give what stands under the header's one key; it has exactly these keys, each of exactly this type."""
    told = message.header.get(key)
    if set(message.header) != {key} or not isinstance(told, dict) or set(told) != set(types):
        raise WorkerDied(f"It does not answer with {key}.")
    if any(type(told[name]) is not kind for name, kind in types.items()):
        raise WorkerDied(f"Its {key} have a value of another type.")
    return told


def _in_range(told: dict[str, Any]) -> None:
    if told["format"] not in FORMATS:
        raise WorkerDied("It knows a format that we don't.")
    if any(type(value) is int and value > _LARGEST_NUMBER for value in told.values()):
        raise WorkerDied("It tells a number that no header can hold.")


def _raise_refused(message: Message) -> None:
    if "refused" not in message.header:
        return
    code, detail = message.header["refused"], message.header.get("detail")
    if set(message.header) != {"refused", "detail"} or message.body:
        raise WorkerDied("It refuses in other words than ours.")
    if not isinstance(code, str) or code not in _REFUSALS:
        raise WorkerDied("It refuses for a reason that is not its to give.")
    if not isinstance(detail, str) or len(detail) > _DETAIL_LENGTH or not detail.isprintable():
        raise WorkerDied("Its refusal is no sentence.")
    raise _REFUSALS[code](detail)
