"""Open an original with the one loader its magic bytes call for."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyvips

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat
from proxy.core.media import isobmff as boxes
from proxy.core.media import png_chunks as chunks
from proxy.core.media.byte_reader import Read
from proxy.core.media.formats import ALWAYS_READ, AVIF, GIF, JPEG, PNG, SNIFF_BYTES, SVG, TIFF, WEBP, Format, sniff
from proxy.core.media.tiff import read_rights
from proxy.pixels import extras
from proxy.pixels.light import note
from proxy.pixels.metadata import with_rights

_LOADERS = {
    JPEG: "jpegload_source",
    PNG: "pngload_source",
    WEBP: "webpload_source",
    GIF: "gifload_source",
    AVIF: "heifload_source",
    SVG: "svgload_source",
    TIFF: "tiffload_source",
}
_NUMBERED = {GIF, WEBP, TIFF}
_BANDS = {"b-w": 2, "grey16": 2, "cmyk": 5}
"""Of colour and alpha; of what is not named here, four."""
_TEXT = re.compile(rb"<(?:[A-Za-z0-9_]+:)?text[\s>/]")


@dataclass(slots=True)
class _Allowed:
    """What this process reads."""

    formats: Sequence[Format] = ALWAYS_READ
    letters: bool = True


_allowed = _Allowed()


def allow(formats: Sequence[Format], *, letters: bool = True) -> None:
    """Read these formats and no others from now on; without `letters` (fonts cannot be opened), no SVG with text."""
    _allowed.formats, _allowed.letters = formats, letters


def sniff_fd(fd: int) -> Format:
    """Tell the format from the first bytes; UnsupportedFormat when it is none that is allowed."""
    found = sniff(os.pread(fd, SNIFF_BYTES, 0))
    if found is None or found not in _allowed.formats:
        names = ", ".join(one.name for one in _allowed.formats)
        raise UnsupportedFormat(f"The original is none of the picture formats allowed here: {names}.")
    return found


def open_image(fd: int, source: Format, page: int = 0, **options: Any) -> pyvips.Image:  # noqa: ANN401 - libvips' own
    """Open lazily, for one pass from top to bottom; a truncated or damaged picture is an error, not a grey half.

    `page` is a page's or a frame's number, counted from 0; formats without any have only the first.
    """
    if source in extras.EXTRAS:
        return extras.load(fd, source, page, options.get("scale", 1.0))
    if source is SVG and not _allowed.letters and _TEXT.search(os.pread(fd, os.fstat(fd).st_size, 0)):
        raise UnsupportedFormat(
            "The SVG has text, for which no fonts are at hand: convert it to paths, and upload that."
        )
    if source in _NUMBERED:
        options["page"] = page
    os.lseek(fd, 0, os.SEEK_SET)
    stream = pyvips.Source.new_from_descriptor(fd)
    image = pyvips.Operation.call(_LOADERS[source], stream, access="sequential", fail_on="truncated", **options)
    return _told(image, source, reader(fd))


def reader(fd: int) -> Read:
    """Give what reads pieces of a file: headers may name offsets that no file has, and that pread(2) does not take."""
    end = os.fstat(fd).st_size
    return lambda at, size: os.pread(fd, size, at) if at < end else b""


def _told(image: pyvips.Image, source: Format, read: Read) -> pyvips.Image:
    """Note on a loaded picture what its file says and libvips does not read; of an AVIF a profile is stronger."""
    if source is TIFF:
        return with_rights(_shown(image), read_rights(read))
    if source is PNG:
        return note(image, chunks.read_signal(read))
    if source is AVIF and not image.get_typeof("icc-profile-data"):
        return note(image, boxes.read_signal(read))
    return image


def _shown(image: pyvips.Image) -> pyvips.Image:
    """Leave out what is neither colour nor alpha."""
    most = _BANDS.get(image.interpretation, 4)
    return image.extract_band(0, n=most) if image.bands > most else image


def refusal(error: pyvips.Error) -> DarkroomError:
    """Translate a libvips error into ours, its beginning made fit for the public."""
    detail = " ".join(str(error.detail or error).split())
    if "out of memory" in detail or "unable to allocate" in detail:
        return LimitExceeded("The original needs more memory than a worker may use.")
    public = "".join(
        letter for letter in detail if letter.isascii() and letter.isprintable() and letter not in "<>&\"'\\"
    )
    return CorruptImage(f"The original does not decode: {public[:120]}")
