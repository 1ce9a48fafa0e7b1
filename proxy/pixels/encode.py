"""Write the finished picture: one function per format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyvips

from proxy.core.media.formats import AVIF, BLURHASH, GIF, JPEG, JXL, PNG, THUMBHASH, TIFF, WEBP, Format
from proxy.core.media.placeholders import blurhash, thumbhash
from proxy.core.media.tiff import add_rights
from proxy.core.planning.plan import Encoding
from proxy.pixels.chroma import has_fine_chroma, is_chroma_relevant
from proxy.pixels.extras import encode_jxl
from proxy.pixels.metadata import EXIF, Prepared, prepare
from proxy.pixels.quality import fit_budget, hit_target

_DRAFT_EFFORT = {JPEG: 0, WEBP: 4, AVIF: 0}
"""Enough to judge a quality: AV1 at effort 0 scores one point less than at 2, in a fifth of the time."""

PALETTE_EFFORT = 3
"""Effort of finding a PNG's palette. libvips' default, 7, takes three to six times as long to save a tenth."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """The parameters of writing one picture that do not depend on the quality."""

    how: Encoding
    kinds: int
    """Metadata, as VipsForeignKeep."""
    rights: Mapping[int, str]
    """Copyright and artist by tag."""
    fine_chroma: bool
    """Colour has as fine details as lightness."""


def encode(image: pyvips.Image, how: Encoding, original: pyvips.Image) -> bytes:
    """Encode as the plan specifies. Raise LimitExceeded if no quality fits into a byte budget.

    `original` is the loaded picture; of its metadata those that may be published are taken over.
    """
    return _write(prepare(original, image, keep=how.keep, profile=how.profile), how)


def _write(prepared: Prepared, how: Encoding) -> bytes:
    image = prepared.image
    is_searched, is_analysed = how.target is not None or how.budget_bytes is not None, is_chroma_relevant(image, how)
    if is_searched or is_analysed:
        image = image.copy_memory()  # it is read several times
    writing = _Writing(how, prepared.kinds, prepared.rights, is_analysed and has_fine_chroma(image))
    write = _ENCODERS[how.format]
    if not is_searched:
        return write(image, writing, how.quality)

    def at(picture: pyvips.Image, quality: int) -> bytes:
        return write(picture, writing, quality)

    if how.budget_bytes is not None:
        lossless = write(image, writing, None) if how.format is PNG else None
        fits = lossless is not None and len(lossless) <= how.budget_bytes
        return lossless if lossless is not None and fits else fit_budget(image, at, how.budget_bytes)
    quick = replace(writing, how=replace(how, effort=min(how.effort, _DRAFT_EFFORT[how.format])))
    return hit_target(image, lambda picture, quality: write(picture, quick, quality), at, how)


def _jpeg(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `jpegsave`: optimised Huffman tables; from Q 90 chroma is not subsampled anyway."""
    return image.jpegsave_buffer(
        Q=quality,
        optimize_coding=True,
        interlace=writing.how.progressive,
        subsample_mode="off" if writing.fine_chroma else "auto",
        keep=writing.kinds,
    )


def _webp(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `webpsave`: chroma is always subsampled; sharp YUV conversion is used if it has fine details."""
    options: dict[str, Any] = {"Q": quality, "smart_subsample": writing.fine_chroma}
    if writing.how.lossless:  # Q is then a second effort
        options = {"lossless": True, "Q": 75 if writing.how.effort else 20}
    return image.webpsave_buffer(effort=writing.how.effort, keep=writing.kinds, **options)


def _avif(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `heifsave` with AV1, 8 bits; full chroma costs a tenth more time, and scores half a point more."""
    options: dict[str, Any] = {"lossless": True} if writing.how.lossless else {"Q": quality, "subsample_mode": "off"}
    return image.heifsave_buffer(
        compression="av1", effort=writing.how.effort, bitdepth=8, keep=writing.kinds, **options
    )


def _png(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `pngsave`; a quality means a palette."""
    options: dict[str, Any] = {} if quality is None else {"palette": True, "Q": quality, "effort": PALETTE_EFFORT}
    how = writing.how
    return image.pngsave_buffer(compression=how.effort, interlace=how.progressive, keep=writing.kinds, **options)


def _gif(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `gifsave`; a quality allows an error between frames and between palettes (at most 32 and 256)."""
    loss = 0.0 if quality is None else (100 - quality) / 100
    return image.gifsave_buffer(
        effort=writing.how.effort,
        interlace=writing.how.progressive,
        interframe_maxerror=32 * loss,
        interpalette_maxerror=max(3.0, 64 * loss),
        keep="none",
    )


def _tiff(image: pyvips.Image, writing: _Writing, _: int | None) -> bytes:
    """Libvips `tiffsave`: deflate with the horizontal predictor. It does not write the rights."""
    body = image.tiffsave_buffer(compression="deflate", predictor="horizontal", keep=writing.kinds)
    return add_rights(body, writing.rights)


def _jxl(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """JPEG XL, by its own library; the rights are written as EXIF."""
    quality = None if writing.how.lossless else quality
    return encode_jxl(image.colourspace("srgb"), quality, writing.how.effort, with_exif=bool(writing.kinds & EXIF))


def _blurhash(image: pyvips.Image, _: _Writing, __: int | None) -> bytes:
    return blurhash(image.width, image.height, bytes(image.colourspace("srgb").write_to_memory())).encode()


def _thumbhash(image: pyvips.Image, _: _Writing, __: int | None) -> bytes:
    image = image.colourspace("srgb")
    image = image if image.hasalpha() else image.addalpha()
    return thumbhash(image.width, image.height, bytes(image.cast("uchar").write_to_memory())).encode()


_ENCODERS: dict[Format, Callable[[pyvips.Image, _Writing, int | None], bytes]] = {
    JPEG: _jpeg,
    WEBP: _webp,
    AVIF: _avif,
    PNG: _png,
    GIF: _gif,
    TIFF: _tiff,
    JXL: _jxl,
    BLURHASH: _blurhash,
    THUMBHASH: _thumbhash,
}
