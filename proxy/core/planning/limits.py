"""Limits: bounds on the work for one picture. Exceeding one raises LimitExceeded, which is answered with 422."""

from dataclasses import dataclass

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Size
from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, GIF, Format


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on originals and derivatives, in bytes, pixels (of a side or an area) and frames."""

    source_bytes: int = 64 * 1024 * 1024
    source_pixels: int = 300_000_000
    """Area of one frame. Only the JPEG decoder can reduce such a picture while reading; others exceed the deadline."""
    source_side: int = 100_000
    """Longer side of one frame."""
    source_frames: int = 1_000
    animation_pixels: int = 120_000_000
    """Area of all frames of the original together."""
    output_side: int = 8_192
    output_pixels: int = 50_000_000
    """Area of all frames of the derivative together."""
    gif_pixels: int = 12_000_000
    """Area of all frames of a GIF, or of a PNG with a palette: computing a palette takes 0.5 s per megapixel."""
    avif_pixels: int = 8_000_000
    """Area of an AVIF, whose encoding time grows with it: `auto` avoids AVIF beyond it, and an explicit AVIF fails."""
    avif_side: int = 8_192
    """Longer side of an AVIF, with the same effect: some decoders support less than the format does."""


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
"""Upper bounds of all settings: beyond them a worker exceeds its memory or its deadline."""


def check_bytes(size_bytes: int, limits: Limits) -> None:
    """Raise LimitExceeded if the file of an original is too large."""
    if size_bytes > limits.source_bytes:
        raise LimitExceeded(f"The original has {size_bytes} bytes; the limit is {limits.source_bytes}.", "source_bytes")


def check_source(facts: Facts, limits: Limits) -> None:
    """Raise LimitExceeded if the header of an original exceeds a limit."""
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


def check_output(output: Format, final: Size, frames: int, limits: Limits, *, palette: bool = False) -> None:
    """Raise LimitExceeded if a derivative is too long, has too many pixels, or too many for its format.

    `palette` reports that a PNG is written with a palette.
    """
    side = min(limits.output_side, output.largest_side)
    if output is AVIF:
        side = min(side, limits.avif_side)
    if final.longest > side:
        raise LimitExceeded(
            f"The picture would be {final.width}×{final.height}; the longest side is {side}. Specify a smaller w."
        )
    if final.pixels * frames > limits.output_pixels:
        raise LimitExceeded(
            f"The picture would have {final.pixels * frames} pixels; the limit is {limits.output_pixels}."
        )
    limit = limits.gif_pixels if palette else {AVIF: limits.avif_pixels, GIF: limits.gif_pixels}.get(output)
    if limit is not None and final.pixels * frames > limit:
        excess = f"The {output.name.upper()} would have {final.pixels * frames} pixels"
        raise LimitExceeded(f"{excess}; the limit is {limit}. Specify a smaller w.")


def check_decoded(operation: str, decoded: Size, limits: Limits) -> None:
    """Raise LimitExceeded if an operation, named for the message, requires too many decoded pixels at once."""
    if decoded.pixels > limits.output_pixels:
        excess = f"{operation} requires {decoded.pixels} pixels of the original at once"
        raise LimitExceeded(f"{excess}; the limit is {limits.output_pixels}.")


def check_work(base: Size, scaled: Size, limits: Limits) -> None:
    """Raise LimitExceeded if the intermediate picture is too large.

    An example is a narrow strip that is enlarged to cover a tall box: the derivative has few pixels, the picture before
    the cover crop very many.
    """
    if scaled.pixels > max(base.pixels, limits.output_pixels):
        excess = f"The picture would be enlarged to {scaled.pixels} pixels before it is cropped"
        raise LimitExceeded(f"{excess}; the limit is {limits.output_pixels}.")
