"""Limits: the numbers that keep one picture's work sane. 422 tells which was exceeded."""

from dataclasses import dataclass

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Size
from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, GIF, Format


@dataclass(frozen=True, slots=True)
class Limits:
    """What an original may be and what may be made of it; bytes, pixels (of a side, or of an area), frames."""

    source_bytes: int = 64 * 1024 * 1024
    source_pixels: int = 300_000_000
    """Of one frame; the JPEG decoder reduces such a picture while it reads, others run into the deadline first."""
    source_side: int = 100_000
    """Of one frame."""
    source_frames: int = 1_000
    animation_pixels: int = 120_000_000
    """Of all frames of the original together."""
    output_side: int = 8_192
    output_pixels: int = 50_000_000
    """Of all frames of the derivative together."""
    gif_pixels: int = 12_000_000
    """Of all frames, of a GIF or of a PNG with a palette: finding one takes half a second a megapixel."""
    avif_pixels: int = 8_000_000
    """Beyond it `auto` never chooses AVIF, and asking for AVIF is refused: its encoder's time grows with the area."""
    avif_side: int = 8_192
    """As `avif_pixels`; for clients whose decoders stop at less than the format does."""


HARD_CAPS = Limits(
    source_bytes=512 * 1024 * 1024,
    source_pixels=500_000_000,
    source_side=1_000_000,
    source_frames=10_000,
    animation_pixels=500_000_000,
    output_side=16_383,
    output_pixels=200_000_000,
    gif_pixels=60_000_000,
    avif_pixels=40_000_000,
    avif_side=16_384,
)
"""No setting goes beyond these: past them a worker's memory and deadline cannot hold."""


def check_bytes(size_bytes: int, limits: Limits) -> None:
    """Refuse an original that is too large a file."""
    if size_bytes > limits.source_bytes:
        raise LimitExceeded(f"The original has {size_bytes} bytes; the limit is {limits.source_bytes}.", "source_bytes")


def check_source(facts: Facts, limits: Limits) -> None:
    """Refuse an original whose header alone says that it is too much."""
    pixels, frames = facts.stored.pixels, facts.frames
    if pixels > limits.source_pixels:
        raise LimitExceeded(f"The original has {pixels} pixels; the limit is {limits.source_pixels}.", "source_pixels")
    if facts.stored.longest > limits.source_side:
        raise LimitExceeded(
            f"The original is {facts.width}×{facts.height}; the limit of the longer side is {limits.source_side}.",
            "source_side",
        )
    if frames > limits.source_frames:
        raise LimitExceeded(f"The original has {frames} frames; the limit is {limits.source_frames}.", "source_frames")
    if frames > 1 and pixels * frames > limits.animation_pixels:
        raise LimitExceeded(
            f"The original has {pixels * frames} pixels in {frames} frames; the limit is {limits.animation_pixels}.",
            "animation_pixels",
        )


def check_output(asked: Format, final: Size, frames: int, limits: Limits, *, palette: bool = False) -> None:
    """Refuse a derivative that is too large, of too many pixels, or of more than its format is given."""
    side = min(limits.output_side, asked.largest_side)
    if asked is AVIF:
        side = min(side, limits.avif_side)
    if final.longest > side:
        raise LimitExceeded(
            f"The picture would be {final.width}×{final.height}; the longest side is {side}: say a smaller w."
        )
    if final.pixels * frames > limits.output_pixels:
        raise LimitExceeded(
            f"The picture would have {final.pixels * frames} pixels; the limit is {limits.output_pixels}."
        )
    most = limits.gif_pixels if palette else {AVIF: limits.avif_pixels, GIF: limits.gif_pixels}.get(asked)
    if most is not None and final.pixels * frames > most:
        told = f"The {asked.name.upper()} would have {final.pixels * frames} pixels"
        raise LimitExceeded(f"{told}; the limit is {most}: say a smaller w.")


def check_looked(what: str, looked: Size, limits: Limits) -> None:
    """Refuse to hold more of the original than may be made of it: `what` needs all these pixels at once."""
    if looked.pixels > limits.output_pixels:
        told = f"{what} needs {looked.pixels} pixels of the original at once"
        raise LimitExceeded(f"{told}; the limit is {limits.output_pixels}.")


def check_work(base: Size, scaled: Size, limits: Limits) -> None:
    """Refuse, say, a narrow strip enlarged to cover a tall box: few pixels in the end, very many on the way."""
    if scaled.pixels > max(base.pixels, limits.output_pixels):
        told = f"The picture would be enlarged to {scaled.pixels} pixels on the way"
        raise LimitExceeded(f"{told}; the limit is {limits.output_pixels}.")
