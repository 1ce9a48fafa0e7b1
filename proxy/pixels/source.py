"""Open an original with the loader of the format that its magic bytes specify."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyvips

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat
from proxy.core.media import isobmff, png_chunks
from proxy.core.media.byte_reader import Read
from proxy.core.media.formats import ALWAYS_READ, AVIF, GIF, JPEG, PNG, SNIFF_BYTES, SVG, TIFF, WEBP, Format, sniff
from proxy.core.media.tiff import read_rights
from proxy.pixels import extras
from proxy.pixels.light import attach_signal
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
_PAGE_OPTION = {GIF, WEBP, TIFF}
"""Formats whose loader takes a page."""
_BANDS = {"b-w": 2, "grey16": 2, "cmyk": 5}
"""Number of bands of colour and alpha, by interpretation; four if it is not listed."""
DECODE_ERRORS = (pyvips.Error, UnicodeDecodeError)
"""What libvips operations raise for a damaged picture. pyvips fails at messages and names that are not UTF-8."""
_TEXT = re.compile(rb"<(?:[A-Za-z0-9_]+:)?text[\s>/]")


@dataclass(slots=True)
class _Allowed:
    """What this process may read."""

    formats: Sequence[Format] = ALWAYS_READ
    fonts: bool = True


_allowed = _Allowed()


def allow(formats: Sequence[Format], *, fonts: bool = True) -> None:
    """Read only these formats from now on. Without `fonts`, which cannot be opened then, reject SVG with text."""
    _allowed.formats, _allowed.fonts = formats, fonts


def sniff_fd(fd: int) -> Format:
    """Return the format that the first bytes specify. Raise UnsupportedFormat if it is not allowed."""
    format_ = sniff(os.pread(fd, SNIFF_BYTES, 0))
    if format_ is None or format_ not in _allowed.formats:
        names = ", ".join(allowed.name for allowed in _allowed.formats)
        raise UnsupportedFormat(f"The original has an unsupported image format. Supported: {names}.")
    return format_


def open_image(fd: int, source: Format, page: int = 0, **options: Any) -> pyvips.Image:  # noqa: ANN401 - libvips' own
    """Open lazily, for one pass from top to bottom. A truncated or damaged picture raises one of `DECODE_ERRORS`.

    `page` is the number of a page or frame, counted from 0. `options` are those of the libvips loader.
    """
    if source in extras.EXTRAS:
        return extras.load(fd, source, page, options.get("scale", 1.0))
    if source is SVG and not _allowed.fonts and _TEXT.search(os.pread(fd, os.fstat(fd).st_size, 0)):
        raise UnsupportedFormat(
            "The SVG contains text, but fonts are not available on this server: convert the text to paths."
        )
    if source in _PAGE_OPTION:
        options["page"] = page
    os.lseek(fd, 0, os.SEEK_SET)
    stream = pyvips.Source.new_from_descriptor(fd)
    image = pyvips.Operation.call(_LOADERS[source], stream, access="sequential", fail_on="truncated", **options)
    return _annotate(image, source, reader(fd))


def reader(fd: int) -> Read:
    """Return a function that reads parts of a file. Headers may contain offsets that pread(2) does not accept."""
    end = os.fstat(fd).st_size
    return lambda start, size: os.pread(fd, size, start) if start < end else b""


def _annotate(image: pyvips.Image, source: Format, read: Read) -> pyvips.Image:
    """Attach what the file contains and libvips does not read. In an AVIF, a profile overrides the colour signal."""
    if source is TIFF:
        return with_rights(_drop_extra_bands(image), read_rights(read))
    if source is PNG:
        return attach_signal(image, png_chunks.read_signal(read))
    if source is AVIF and not image.get_typeof("icc-profile-data"):
        return attach_signal(image, isobmff.read_signal(read))
    return image


def _drop_extra_bands(image: pyvips.Image) -> pyvips.Image:
    """Drop bands that are neither colour nor alpha."""
    count = _BANDS.get(image.interpretation, 4)
    return image.extract_band(0, n=count) if image.bands > count else image


def to_refusal(error: Exception) -> DarkroomError:
    """Translate one of `DECODE_ERRORS` into a refusal; the start of libvips' message is made fit for the public."""
    if not isinstance(error, pyvips.Error):
        return CorruptImage("The original does not decode.")
    detail = " ".join(str(error.detail or error).split())
    if "out of memory" in detail or "unable to allocate" in detail:
        return LimitExceeded("The original needs more memory than a worker may use.")
    public = "".join(
        letter for letter in detail if letter.isascii() and letter.isprintable() and letter not in "<>&\"'\\"
    )
    return CorruptImage(f"The original does not decode: {public[:120]}")
