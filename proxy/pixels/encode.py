"""Write the finished picture: one function per format, all metadata left out."""

from collections.abc import Callable

import pyvips

from proxy.core.formats import AVIF, GIF, JPEG, PNG, WEBP, Format
from proxy.core.plan import Encoding


def encode(image: pyvips.Image, how: Encoding) -> bytes:
    """Encode to the plan's format and numbers."""
    return _ENCODERS[how.format](image, how)


def _jpeg(image: pyvips.Image, how: Encoding) -> bytes:
    """Libvips `jpegsave`: optimised Huffman tables; chroma subsampled below Q 90."""
    return image.jpegsave_buffer(Q=how.quality, optimize_coding=True, keep="none")


def _webp(image: pyvips.Image, how: Encoding) -> bytes:
    """Libvips `webpsave`."""
    return image.webpsave_buffer(Q=how.quality, effort=how.effort, keep="none")


def _avif(image: pyvips.Image, how: Encoding) -> bytes:
    """Libvips `heifsave` with AV1, 8 bits."""
    return image.heifsave_buffer(Q=how.quality, compression="av1", effort=how.effort, bitdepth=8, keep="none")


def _png(image: pyvips.Image, how: Encoding) -> bytes:
    """Libvips `pngsave`; a quality asks for a palette."""
    if how.quality is None:
        return image.pngsave_buffer(compression=how.effort, keep="none")
    return image.pngsave_buffer(compression=how.effort, palette=True, Q=how.quality, keep="none")


def _gif(image: pyvips.Image, how: Encoding) -> bytes:
    """Libvips `gifsave`; a quality allows that much error between frames and between palettes (at most 32 and 256)."""
    loss = 0.0 if how.quality is None else (100 - how.quality) / 100
    return image.gifsave_buffer(
        effort=how.effort, interframe_maxerror=32 * loss, interpalette_maxerror=max(3.0, 64 * loss), keep="none"
    )


_ENCODERS: dict[Format, Callable[[pyvips.Image, Encoding], bytes]] = {
    JPEG: _jpeg,
    WEBP: _webp,
    AVIF: _avif,
    PNG: _png,
    GIF: _gif,
}
