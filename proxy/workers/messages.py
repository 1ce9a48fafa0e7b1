"""Headers of the messages that the pool and a worker exchange (`proxy.workers.framing`).

    request  {"probe": page}         with the original's descriptor
             {"trim": question}      with the original's descriptor
             {"examine": true}       with the original's descriptor
             {"render": plan}        with the original's descriptor, and the watermark's if there is one
    answer   {"hello": {…}}          once, when the worker has locked itself down
             {"facts": {…}}
             {"box": {…}}
             {"examination": true}   followed by the examination as JSON
             {"picture": {…}}        followed by the body
             {"refused": code, "detail": sentence}

An answer may have been written by an attacker. Every value must have the exact type, lie in its range and, for a
picture, match the format and size of the request. Anything else raises WorkerDied.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat
from proxy.core.geometry import Box
from proxy.core.media.derivative import Derivative
from proxy.core.media.examination import Examination
from proxy.core.media.facts import Facts
from proxy.core.media.formats import BLURHASH, FORMATS, SNIFF_BYTES, THUMBHASH, Format, sniff
from proxy.core.planning.plan import Plan, Trim
from proxy.workers.framing import Message, WorkerDied, pack, parse_object
from proxy.workers.sandbox import SandboxFeatures

_BODY_SLACK_BYTES = 131_072
"""What a container, a profile and kept metadata may add to the pixels."""
_PIXEL_BYTES = 8
"""The largest pixel of all output formats: PNG with four channels of 16 bits."""
_DETAIL_LENGTH = 200
EXAMINATION_BYTES = 32_768
"""Largest examination as JSON: five bounded texts, of which each character may take twelve bytes, and short values."""
_MAX_NUMBER = 2**31 - 1
_MAX_RENDER_S = 3_600.0
_REFUSALS: dict[str, type[DarkroomError]] = {
    error.code: error for error in (UnsupportedFormat, CorruptImage, LimitExceeded)
}
"""The errors that a worker may answer with."""
_LIBVIPS_VERSION = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){2}")
_EXTRAS_FINGERPRINT = re.compile(r"([0-9a-f]{8})?")


@dataclass(frozen=True, slots=True)
class Hello:
    """Versions and sandbox of a worker."""

    libvips: str
    """For example "8.18.7"."""
    extras: str
    """Fingerprint of the versions of the enabled extra libraries, 8 hex digits; empty if none is enabled."""
    sandbox_features: SandboxFeatures


# --- requests


def probe_request(page: int) -> bytes:
    """Return the request for the facts in the header, of one page, counted from 0."""
    return pack({"probe": page})


def trim_request(trim: Trim) -> bytes:
    """Return the request for the part of the picture that is inside its border."""
    return pack({"trim": trim})


def examine_request() -> bytes:
    """Return the request to decode the original to its end and to describe it."""
    return pack({"examine": True})


def render_request(plan: Plan) -> bytes:
    """Return the request to render `plan`."""
    return pack({"render": plan})


def max_body_bytes(plan: Plan, derivative_bytes: int) -> int:
    """Return the largest body that is accepted: an encoder makes no more of the pixels than they occupy."""
    return min(plan.size.pixels * plan.frames * _PIXEL_BYTES + _BODY_SLACK_BYTES, derivative_bytes)


# --- answers, as a worker writes them


def hello(libvips: str, extras: str, sandbox_features: SandboxFeatures) -> dict[str, Any]:
    """Return the header of a worker's first message; a missing Landlock is ABI 0."""
    versions = {"libvips": libvips, "extras": extras}
    return {"hello": versions | {"landlock": sandbox_features.landlock or 0, "seccomp": sandbox_features.seccomp}}


def refusal(error: DarkroomError) -> dict[str, Any]:
    """Return the header of a refusal; its detail is made printable and cut."""
    detail = "".join(letter if letter.isprintable() else " " for letter in error.detail)
    return {"refused": error.code, "detail": detail[:_DETAIL_LENGTH]}


def examination(found: Examination) -> tuple[dict[str, Any], bytes]:
    """Return the header and the body of an examination."""
    return {"examination": True}, json.dumps(found.to_dict()).encode()


# --- answers, as the pool reads them


def read_hello(message: Message) -> Hello:
    """Read a worker's first message, which it sends before it receives any foreign byte."""
    fields = _read_fields(message, "hello", {"libvips": str, "extras": str, "landlock": int, "seccomp": bool})
    if not _LIBVIPS_VERSION.fullmatch(fields["libvips"]) or not _EXTRAS_FINGERPRINT.fullmatch(fields["extras"]):
        raise WorkerDied("The versions in the hello are malformed.")
    return Hello(fields["libvips"], fields["extras"], SandboxFeatures(fields["landlock"] or None, fields["seccomp"]))


def is_refusal(message: Message) -> bool:
    """Return whether the worker refuses the request."""
    return "refused" in message.header


def read_facts(message: Message) -> Facts:
    """Read the answer to a probe. Raise the error that the worker refuses with."""
    _raise_refusal(message)
    return _checked_facts(_read_fields(message, "facts", _FACTS))


def read_examination(message: Message, size_bytes: int) -> Examination:
    """Read the answer to an examination of a file of `size_bytes`. Raise the error that the worker refuses with."""
    _raise_refusal(message)
    if message.header != {"examination": True}:
        raise WorkerDied("The worker does not answer with examination.")
    values = parse_object(message.body)
    facts = _checked_facts(_checked_fields(values, "facts", _FACTS))
    try:
        examined = Examination.from_dict(values, facts)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise WorkerDied(f"The examination is invalid: {error!r:.200}.") from error
    if examined.end_bytes is not None and examined.end_bytes > size_bytes:
        raise WorkerDied("The examined image ends behind its file.")
    return examined


def read_box(message: Message, trim: Trim) -> Box:
    """Read the answer to a trim; the box lies within `trim.crop`. Raise the error that the worker refuses with."""
    _raise_refusal(message)
    box = Box(**_read_fields(message, "box", {"left": int, "top": int, "width": int, "height": int}))
    within_width = 0 <= box.left < box.left + box.width <= trim.crop.width
    if not (within_width and 0 <= box.top < box.top + box.height <= trim.crop.height):
        raise WorkerDied("The trimmed box lies outside of the picture.")
    return box


def read_picture(message: Message, plan: Plan) -> tuple[Derivative, float]:
    """Read the answer to a render: the derivative and the render time in seconds.

    Raise the error that the worker refuses with.
    """
    _raise_refusal(message)
    fields = _read_fields(message, "picture", {"format": str, "width": int, "height": int, "render_s": float})
    planned = (plan.encoding.format.name, plan.size.width, plan.size.height)
    if (fields["format"], fields["width"], fields["height"]) != planned:
        raise WorkerDied("The picture does not have the requested format and size.")
    if not _matches_format(message.body, plan.encoding.format):
        raise WorkerDied("The body does not have the announced format.")
    if not (math.isfinite(fields["render_s"]) and 0 <= fields["render_s"] < _MAX_RENDER_S):
        raise WorkerDied("The render time is out of range.")
    return Derivative(message.body, plan.encoding.format, plan.size.width, plan.size.height), fields["render_s"]


def _matches_format(body: bytes, format_: Format) -> bool:
    if format_ in _PLACEHOLDERS:
        return bool(_PLACEHOLDERS[format_].fullmatch(body))
    return sniff(body[:SNIFF_BYTES]) == format_


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


def _read_fields(message: Message, key: str, types: dict[str, type]) -> dict[str, Any]:
    """Return the object under the header's only key; it must have exactly these fields, each of exactly this type."""
    if set(message.header) != {key}:
        raise WorkerDied(f"The worker does not answer with {key}.")
    return _checked_fields(message.header, key, types)


def _checked_fields(values: dict[str, Any], key: str, types: dict[str, type]) -> dict[str, Any]:
    fields = values.get(key)
    if not isinstance(fields, dict) or set(fields) != set(types):
        raise WorkerDied(f"The worker does not answer with {key}.")
    if any(type(fields[name]) is not type_ for name, type_ in types.items()):
        raise WorkerDied(f"A field of {key} has the wrong type.")
    return fields


def _checked_facts(fields: dict[str, Any]) -> Facts:
    _check_ranges(fields)
    try:
        return Facts.from_dict(fields)
    except ValueError as error:
        raise WorkerDied(f"The facts are invalid: {error}.") from error


def _check_ranges(fields: dict[str, Any]) -> None:
    if fields["format"] not in FORMATS:
        raise WorkerDied("The format is unknown.")
    if any(type(value) is int and value > _MAX_NUMBER for value in fields.values()):
        raise WorkerDied("A number is larger than any header can hold.")


def _raise_refusal(message: Message) -> None:
    if not is_refusal(message):
        return
    code, detail = message.header["refused"], message.header.get("detail")
    if set(message.header) != {"refused", "detail"} or message.body:
        raise WorkerDied("The refusal is malformed.")
    if not isinstance(code, str) or code not in _REFUSALS:
        raise WorkerDied("The code of the refusal is not allowed.")
    if not isinstance(detail, str) or len(detail) > _DETAIL_LENGTH or not detail.isprintable():
        raise WorkerDied("The detail of the refusal is too long or not printable.")
    raise _REFUSALS[code](detail)
