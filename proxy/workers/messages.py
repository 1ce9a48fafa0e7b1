"""What the pool asks and what a worker answers: the headers of messages (`proxy.workers.framing`).

    ours    {"probe": page}         with the original's descriptor
            {"trim": question}      with the original's descriptor
            {"render": plan}        with the original's descriptor, and the watermark's where there is one
    theirs  {"hello": {…}}          once, when the worker has closed itself
            {"facts": {…}}
            {"box": {…}}
            {"picture": {…}}        and the body
            {"refused": code, "detail": sentence}

What a worker says may be an attacker's words: every value has to be of the one type, in the range and, for a picture,
of the kind and size that were asked for. Whatever else it says is `WorkerDied`.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat
from proxy.core.geometry import Box
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.media.formats import BLURHASH, FORMATS, SNIFF_BYTES, THUMBHASH, Format, sniff
from proxy.core.planning.plan import Plan, Trim
from proxy.workers.framing import Message, WorkerDied, pack
from proxy.workers.sandbox import SandboxFeatures

_BODY_SLACK_BYTES = 131_072
"""What a container, a profile and kept metadata may add to the pixels."""
_PIXEL_BYTES = 8
"""The largest pixel any of our formats holds: PNG with four channels of 16 bits."""
_DETAIL_LENGTH = 200
_LARGEST_NUMBER = 2**31 - 1
_LONGEST_S = 3_600.0
_REFUSALS: dict[str, type[DarkroomError]] = {
    kind.code: kind for kind in (UnsupportedFormat, CorruptImage, LimitExceeded)
}
"""All that a worker may refuse with."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker is."""

    libvips: str
    sandbox_features: SandboxFeatures


# --- what we ask


def ask_probe(page: int) -> bytes:
    """Give the request for the header's facts, of one page, counted from 0."""
    return pack({"probe": page})


def ask_trim(trim: Trim) -> bytes:
    """Give the request to find what a border leaves."""
    return pack({"trim": trim})


def ask_render(plan: Plan) -> bytes:
    """Give the request to render `plan`."""
    return pack({"render": plan})


def most_bytes(plan: Plan) -> int:
    """Bound a derivative's body: no encoder of ours makes more of pixels than they are."""
    return plan.size.pixels * plan.frames * _PIXEL_BYTES + _BODY_SLACK_BYTES


# --- what a worker says


def hello(libvips: str, sandbox_features: SandboxFeatures) -> dict[str, Any]:
    """Give the header of a worker's first words; no Landlock is ABI 0."""
    return {
        "hello": {"libvips": libvips, "landlock": sandbox_features.landlock or 0, "seccomp": sandbox_features.seccomp}
    }


def refusal(refused: DarkroomError) -> dict[str, Any]:
    """Give the header that tells a refusal, its sentence cut to printable characters."""
    detail = "".join(one if one.isprintable() else " " for one in refused.detail)
    return {"refused": refused.code, "detail": detail[:_DETAIL_LENGTH]}


# --- how we read it


def read_hello(message: Message) -> Hello:
    """Read a worker's first words, said before it saw any stranger's byte."""
    told = _only(message, "hello", {"libvips": str, "landlock": int, "seccomp": bool})
    return Hello(told["libvips"], SandboxFeatures(told["landlock"] or None, told["seccomp"]))


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
    "wide": bool,
    "page": int,
}


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
