"""Write the finished picture: one function per format."""

from collections.abc import Callable
from typing import Any

import pyvips

from proxy.core.formats import AVIF, BLURHASH, GIF, JPEG, PNG, THUMBHASH, TIFF, WEBP, Format
from proxy.core.placeholders import blurhash, thumbhash
from proxy.core.plan import Encoding
from proxy.pixels.metadata import carry
from proxy.pixels.quality import fit_budget, hit_target


def encode(image: pyvips.Image, how: Encoding, original: pyvips.Image) -> bytes:
    """Encode to the plan's format and numbers; OverLimit where no quality fits into a byte budget.

    `original` is the loaded picture, whose metadata are carried as far as they may leave.
    """
    image, kinds = carry(original, image, everything=how.keep)
    write = _ENCODERS[how.format]

    if how.target is None and how.budget_bytes is None:
        return write(image, how, how.quality, kinds)

    def at(picture: pyvips.Image, quality: int) -> bytes:
        return write(picture, how, quality, kinds)

    image = image.copy_memory()  # it is written several times
    if how.budget_bytes is not None:
        return fit_budget(image, at, how.budget_bytes)
    return hit_target(image, at, how)


def _jpeg(image: pyvips.Image, how: Encoding, quality: int | None, kinds: int) -> bytes:
    """Libvips `jpegsave`: optimised Huffman tables; chroma subsampled below Q 90."""
    return image.jpegsave_buffer(Q=quality, optimize_coding=True, interlace=how.progressive, keep=kinds)


def _webp(image: pyvips.Image, how: Encoding, quality: int | None, kinds: int) -> bytes:
    """Libvips `webpsave`."""
    options: dict[str, Any] = {"lossless": True} if how.lossless else {"Q": quality}
    return image.webpsave_buffer(effort=how.effort, keep=kinds, **options)


def _avif(image: pyvips.Image, how: Encoding, quality: int | None, kinds: int) -> bytes:
    """Libvips `heifsave` with AV1, 8 bits."""
    options: dict[str, Any] = {"lossless": True} if how.lossless else {"Q": quality}
    return image.heifsave_buffer(compression="av1", effort=how.effort, bitdepth=8, keep=kinds, **options)


def _png(image: pyvips.Image, how: Encoding, quality: int | None, kinds: int) -> bytes:
    """Libvips `pngsave`; a quality asks for a palette."""
    options: dict[str, Any] = {} if quality is None else {"palette": True, "Q": quality}
    return image.pngsave_buffer(compression=how.effort, interlace=how.progressive, keep=kinds, **options)


def _gif(image: pyvips.Image, how: Encoding, quality: int | None, _: int) -> bytes:
    """Libvips `gifsave`; a quality allows that much error between frames and between palettes (at most 32 and 256)."""
    loss = 0.0 if quality is None else (100 - quality) / 100
    return image.gifsave_buffer(
        effort=how.effort,
        interlace=how.progressive,
        interframe_maxerror=32 * loss,
        interpalette_maxerror=max(3.0, 64 * loss),
        keep="none",
    )


def _tiff(image: pyvips.Image, _: Encoding, __: int | None, kinds: int) -> bytes:
    """Libvips `tiffsave`: deflate, with the predictor that suits pictures."""
    return image.tiffsave_buffer(compression="deflate", predictor="horizontal", keep=kinds)


def _blurhash(image: pyvips.Image, _: Encoding, __: int | None, ___: int) -> bytes:
    return blurhash(image.width, image.height, bytes(image.colourspace("srgb").write_to_memory())).encode()


def _thumbhash(image: pyvips.Image, _: Encoding, __: int | None, ___: int) -> bytes:
    image = image.colourspace("srgb")
    image = image if image.hasalpha() else image.addalpha()
    return thumbhash(image.width, image.height, bytes(image.cast("uchar").write_to_memory())).encode()


_ENCODERS: dict[Format, Callable[[pyvips.Image, Encoding, int | None, int], bytes]] = {
    JPEG: _jpeg,
    WEBP: _webp,
    AVIF: _avif,
    PNG: _png,
    GIF: _gif,
    TIFF: _tiff,
    BLURHASH: _blurhash,
    THUMBHASH: _thumbhash,
}
