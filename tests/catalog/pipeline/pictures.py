"""Pictures for the pipeline: a photograph that compresses well, and files that nothing makes smaller."""

import pyvips

from proxy.pixels.scenes import dunes


def photograph(width: int = 400, height: int = 267, quality: int = 95, seed: int = 1) -> bytes:
    """Return a JPEG of a drawn landscape with texture."""
    picture = pyvips.Image.new_from_buffer(dunes(width, height), "")
    texture = pyvips.Image.perlin(width, height, cell_size=6, seed=seed).linear(12, 0)
    return bytes((picture + texture).cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=quality, keep="none"))


def drawing() -> bytes:
    """Return a PNG of single pixels in two colours, which only lossless formats keep small."""
    noise = pyvips.Image.gaussnoise(160, 120, sigma=60, mean=128, seed=5) > 128
    inked = noise.ifthenelse([250, 245, 230], [20, 30, 90]).cast("uchar").copy(interpretation="srgb")
    return bytes(inked.pngsave_buffer(compression=0, keep="none"))


def smallest() -> bytes:
    """Return a WebP at the lowest quality: every `qgood` version is larger."""
    noise = pyvips.Image.gaussnoise(300, 200, sigma=60, mean=128, seed=3).cast("uchar")
    return bytes(noise.colourspace("srgb").webpsave_buffer(Q=1, keep="none"))


def animation() -> bytes:
    """Return a GIF of three frames."""
    picture = pyvips.Image.new_from_buffer(dunes(90, 60), "")
    frames = [picture.linear(1, 15 * number).cast("uchar") for number in range(3)]
    joined = pyvips.Image.arrayjoin(frames, across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", 60)
    return bytes(joined.gifsave_buffer())
