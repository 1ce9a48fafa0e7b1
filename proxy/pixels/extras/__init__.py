"""Formats that the libvips of the wheel cannot read, each by a library of its own and in a module of its name.

They decode whole, into memory, behind the same walls; how large a picture is they tell from its header. A module has

    facts(body, page)         what the header says of a page, counted from 0
    load(body, page, scale)   its pixels; `scale` is a vector's
    warm_up()                 what is loaded lazily, before the walls close

and may raise what its library raises: a picture that does not decode is nothing special.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pyvips

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded
from proxy.core.media.facts import Facts
from proxy.core.media.formats import HEIC, JXL, PDF, Format

EXTRAS = {HEIC: "heic", JXL: "jxl", PDF: "pdf"}
"""Module, and extra of the distribution, by format."""
_enlisted: dict[Format, Any] = {}


class NotInstalled(Exception):
    """A format is asked for whose library is not there; the message says what to install."""


def enlist(formats: Sequence[Format]) -> None:
    """Load the libraries of those formats that need one; NotInstalled where it is not there."""
    for one in formats:
        if one in EXTRAS:
            try:
                _enlisted[one] = import_module(f"proxy.pixels.extras.{EXTRAS[one]}")
            except ImportError as error:
                raise NotInstalled(
                    f"DARKROOM_FORMATS has {one.name}, whose library is not installed ({error}): "
                    f"pip install '.[{EXTRAS[one]}]' in Darkroom's folder"
                ) from error


def warm_up() -> None:
    """Let each library load what it loads lazily."""
    for module in _enlisted.values():
        module.warm_up()


def facts(fd: int, source: Format, page: int) -> Facts:
    """Read the header; CorruptImage where there is none that makes sense."""
    try:
        found: Facts = _enlisted[source].facts(_read(fd), page)
    except Exception as error:
        raise _refusal(error) from error
    return found


def load(fd: int, source: Format, page: int = 0, scale: float = 1.0) -> pyvips.Image:
    """Decode the whole picture into memory; CorruptImage where it does not decode."""
    try:
        picture: pyvips.Image = _enlisted[source].load(_read(fd), page, scale)
    except Exception as error:
        raise _refusal(error) from error
    return picture


def encode_jxl(image: pyvips.Image, quality: int | None, effort: int, *, with_exif: bool) -> bytes:
    """Write JPEG XL; a quality of None is lossless."""
    body: bytes = _enlisted[JXL].encode(image, quality, effort, with_exif=with_exif)
    return body


def _read(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _refusal(error: Exception) -> DarkroomError:
    """Translate whatever a library raises of a picture that it does not like."""
    if isinstance(error, DarkroomError):
        return error
    if isinstance(error, MemoryError):
        return LimitExceeded("The original needs more memory than a worker may use.")
    return CorruptImage("The original does not decode.")
