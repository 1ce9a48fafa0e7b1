"""Formats that the libvips of the wheel cannot read. Each is handled by a library of its own, in a module of its name.

The libraries decode whole pictures into memory, in the same sandbox; the size is read from the header before. A module
has

    DISTRIBUTION              name of the distribution that contains the library
    facts(body, page)         the facts in the header, of a page counted from 0
    load(body, page, scale)   the pixels; `scale` is for vector formats
    warm_up()                 loads what is loaded lazily, before the sandbox closes

and may raise whatever its library raises: any exception means that the picture does not decode.
"""

import os
from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pyvips

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded
from proxy.core.media.facts import Facts
from proxy.core.media.formats import HEIC, JXL, PDF, Format

EXTRAS = {HEIC: "heic", JXL: "jxl", PDF: "pdf"}
"""Name of the module, and of the distribution's extra, by format."""
_enabled: dict[Format, Any] = {}


class NotInstalled(Exception):
    """The library of an enabled format is not installed; the message says what to install."""


def enable(formats: Sequence[Format]) -> None:
    """Load the libraries of those formats that need one. Raise NotInstalled if one is missing."""
    for format_ in formats:
        if format_ in EXTRAS:
            try:
                _enabled[format_] = import_module(f"proxy.pixels.extras.{EXTRAS[format_]}")
            except ImportError as error:
                raise NotInstalled(
                    f"DARKROOM_FORMATS contains {format_.name}, but its library is not installed ({error}): run "
                    f"pip install '.[{EXTRAS[format_]}]' in Darkroom's folder"
                ) from error


def fingerprint(*others: str | None) -> str:
    """Return 8 hex digits for the versions of the enabled libraries and of `others`; empty if there are none.

    A new version of a library may decode or encode to other bytes, so it must lead to other keys.
    """
    versions = [f"{module.DISTRIBUTION}={version(module.DISTRIBUTION)}" for module in _enabled.values()]
    versions += [other for other in others if other is not None]
    return sha256("\n".join(sorted(versions)).encode()).hexdigest()[:8] if versions else ""


def warm_up() -> None:
    """Let each library load what it loads lazily."""
    for module in _enabled.values():
        module.warm_up()


def facts(fd: int, source: Format, page: int) -> Facts:
    """Read the header. Raise CorruptImage if it is malformed."""
    try:
        header: Facts = _enabled[source].facts(_read(fd), page)
    except Exception as error:
        raise _to_refusal(error) from error
    return header


def load(fd: int, source: Format, page: int = 0, scale: float = 1.0) -> pyvips.Image:
    """Decode the whole picture into memory. Raise CorruptImage if it does not decode."""
    try:
        image: pyvips.Image = _enabled[source].load(_read(fd), page, scale)
    except Exception as error:
        raise _to_refusal(error) from error
    return image


def encode_jxl(image: pyvips.Image, quality: int | None, effort: int, *, with_exif: bool) -> bytes:
    """Encode as JPEG XL; a quality of None means lossless."""
    body: bytes = _enabled[JXL].encode(image, quality, effort, with_exif=with_exif)
    return body


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _to_refusal(error: Exception) -> DarkroomError:
    """Translate any exception of a library into a refusal."""
    if isinstance(error, DarkroomError):
        return error
    if isinstance(error, MemoryError):
        return LimitExceeded("The original needs more memory than a worker may use.")
    return CorruptImage("The original does not decode.")
