"""Write the finished picture: one function per format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyvips

from proxy.core.media.formats import AVIF, BLURHASH, GIF, JPEG, JXL, PNG, THUMBHASH, TIFF, WEBP, Format
from proxy.core.media.placeholders import blurhash, thumbhash
from proxy.core.media.tiff import add_rights
from proxy.core.planning.plan import Encoding
from proxy.pixels.chroma import is_fine, may_subsample
from proxy.pixels.extras import encode_jxl
from proxy.pixels.metadata import EXIF, Carried, carry, spell_out
from proxy.pixels.quality import fit_budget, hit_target

_DRAFT_EFFORT = {JPEG: 0, WEBP: 4, AVIF: 0}
"""What is enough to see how a quality looks: AV1 at effort 0 looks a point worse than at 2, in a fifth of the time."""


PALETTE_EFFORT = 3
"""Of finding a PNG's palette; libvips' own, 7, takes three to six times as long for a tenth of the bytes."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """What every way of writing one picture has in common."""

    how: Encoding
    kinds: int
    """Metadata, as VipsForeignKeep."""
    rights: Mapping[int, str]
    """Texts by their tag in TIFF."""
    fine: bool
    """Colours are as fine as lightness."""


def encode(image: pyvips.Image, how: Encoding, original: pyvips.Image) -> bytes:
    """Encode to the plan's format and numbers; LimitExceeded where no quality fits into a byte budget.

    `original` is the loaded picture, whose metadata are carried as far as they may leave.
    """
    carried = carry(original, image, everything=how.keep, profile=how.profile)
    return spell_out(_written(carried, how), carried.words)


def _written(carried: Carried, how: Encoding) -> bytes:
    image = carried.image
    searched, looked = how.target is not None or how.budget_bytes is not None, may_subsample(image, how)
    if searched or looked:
        image = image.copy_memory()  # it is read several times
    writing = _Writing(how, carried.kinds, carried.rights, looked and is_fine(image))
    write = _ENCODERS[how.format]
    if not searched:
        return write(image, writing, how.quality)

    def at(picture: pyvips.Image, quality: int) -> bytes:
        return write(picture, writing, quality)

    if how.budget_bytes is not None:
        whole = write(image, writing, None) if how.format is PNG else None
        return whole if whole and len(whole) <= how.budget_bytes else fit_budget(image, at, how.budget_bytes)
    quick = replace(writing, how=replace(how, effort=min(how.effort, _DRAFT_EFFORT[how.format])))
    return hit_target(image, lambda picture, quality: write(picture, quick, quality), at, how)


def _jpeg(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `jpegsave`: optimised Huffman tables; from Q 90 on colours are whole anyway."""
    return image.jpegsave_buffer(
        Q=quality,
        optimize_coding=True,
        interlace=writing.how.progressive,
        subsample_mode="off" if writing.fine else "auto",
        keep=writing.kinds,
    )


def _webp(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `webpsave`; colours are always halved, but with care where they are fine."""
    options: dict[str, Any] = {"Q": quality, "smart_subsample": writing.fine}
    if writing.how.lossless:  # where Q is one more effort
        options = {"lossless": True, "Q": 75 if writing.how.effort else 20}
    return image.webpsave_buffer(effort=writing.how.effort, keep=writing.kinds, **options)


def _avif(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `heifsave` with AV1, 8 bits; whole colours cost a tenth of the time there, and score half a point."""
    options: dict[str, Any] = {"lossless": True} if writing.how.lossless else {"Q": quality, "subsample_mode": "off"}
    return image.heifsave_buffer(
        compression="av1", effort=writing.how.effort, bitdepth=8, keep=writing.kinds, **options
    )


def _png(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `pngsave`; a quality asks for a palette."""
    options: dict[str, Any] = {} if quality is None else {"palette": True, "Q": quality, "effort": PALETTE_EFFORT}
    how = writing.how
    return image.pngsave_buffer(compression=how.effort, interlace=how.progressive, keep=writing.kinds, **options)


def _gif(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """Libvips `gifsave`; a quality allows that much error between frames and between palettes (at most 32 and 256)."""
    loss = 0.0 if quality is None else (100 - quality) / 100
    return image.gifsave_buffer(
        effort=writing.how.effort,
        interlace=writing.how.progressive,
        interframe_maxerror=32 * loss,
        interpalette_maxerror=max(3.0, 64 * loss),
        keep="none",
    )


def _tiff(image: pyvips.Image, writing: _Writing, _: int | None) -> bytes:
    """Libvips `tiffsave`: deflate, with the predictor that suits pictures; it does not write the rights."""
    body = image.tiffsave_buffer(compression="deflate", predictor="horizontal", keep=writing.kinds)
    return add_rights(body, writing.rights)


def _jxl(image: pyvips.Image, writing: _Writing, quality: int | None) -> bytes:
    """JPEG XL by its own library; the rights go along as EXIF."""
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
