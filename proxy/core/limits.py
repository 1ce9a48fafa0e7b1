"""Limits: the numbers that keep one picture's work sane. 422 tells which was exceeded."""

from dataclasses import dataclass


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
    """Of all frames: finding a palette takes half a second a megapixel."""
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
