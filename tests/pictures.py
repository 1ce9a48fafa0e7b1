"""Test pictures that show whether they were rendered correctly, made with libvips."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyvips

from proxy.core.geometry import upright

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 30), (30, 30, 220), (245, 245, 245)
PAINTS = (RED, GREEN, BLUE, WHITE)


def solid(width: int, height: int, paint: tuple[int, ...]) -> Any:  # noqa: ANN401 - pyvips has no types
    """Return a picture of one colour, with alpha if `paint` has four channels."""
    picture = pyvips.Image.black(width, height, bands=len(paint)).linear(1, list(paint))
    return picture.cast("uchar").copy(interpretation="srgb")


def quadrants(width: int = 96, height: int = 64, orientation: int = 1, suffix: str = ".png") -> bytes:
    """Encode red, green / blue, white, stored such that `orientation` sets them upright."""
    across, down = width // 2, height // 2
    cells = [solid(across, down, paint) for paint in PAINTS]
    picture = pyvips.Image.arrayjoin(cells, across=2)
    inverse = upright(orientation).inverse
    picture = picture.fliphor() if inverse.mirrored else picture
    picture = picture.rot(f"d{inverse.quarters * 90}") if inverse.quarters else picture
    picture = picture.copy()
    picture.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    options = {"Q": 95, "subsample_mode": "off"} if suffix == ".jpg" else {}
    return bytes(picture.write_to_buffer(suffix, **options))


def counting(frames: int = 5, suffix: str = ".gif", side: int = 24) -> bytes:
    """Encode an animation whose frame n has the colour `frame_paint(n)` for 40 + 10·n ms; it loops three times."""
    film = pyvips.Image.arrayjoin([solid(side, side, frame_paint(number)) for number in range(frames)], across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", side)
    film.set_type(pyvips.GValue.array_int_type, "delay", [40 + 10 * number for number in range(frames)])
    film.set_type(pyvips.GValue.gint_type, "loop", 3)
    return bytes(film.write_to_buffer(suffix, **({"lossless": True} if suffix == ".webp" else {})))


def frame_paint(number: int) -> tuple[int, int, int]:
    """Return the colour of a frame; neighbouring frames differ strongly."""
    return PAINTS[number % 4] if number < 4 else (120, 0, 200)


@contextmanager
def opened(body: bytes) -> Iterator[int]:
    """Return a descriptor of the bytes, until the end."""
    fd = os.memfd_create("picture")
    try:
        os.write(fd, body)
        yield fd
    finally:
        os.close(fd)


def decoded(body: bytes) -> Any:  # noqa: ANN401 - pyvips has no types
    """Decode a derivative to sRGB."""
    return pyvips.Image.new_from_buffer(body, "").colourspace("srgb")


def near(picture: Any, x: int, y: int, paint: tuple[int, ...], tolerance: int = 16) -> bool:  # noqa: ANN401 - as above
    """Return whether a pixel has a colour, each channel within the tolerance."""
    return all(abs(value - wanted) <= tolerance for value, wanted in zip(picture(x, y), paint, strict=False))
