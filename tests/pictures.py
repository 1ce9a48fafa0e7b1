"""Pictures whose right answer is visible, made with libvips."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyvips

from proxy.core.geometry import upright

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 30), (30, 30, 220), (245, 245, 245)
PAINTS = (RED, GREEN, BLUE, WHITE)


def solid(width: int, height: int, paint: tuple[int, ...]) -> Any:  # noqa: ANN401 - pyvips has no types
    """Make a picture of one colour; four parts are a colour with alpha."""
    picture = pyvips.Image.black(width, height, bands=len(paint)).linear(1, list(paint))
    return picture.cast("uchar").copy(interpretation="srgb")


def quadrants(width: int = 96, height: int = 64, orientation: int = 1, suffix: str = ".png") -> bytes:
    """Show red, green / blue, white once upright; stored as the orientation says."""
    across, down = width // 2, height // 2
    cells = [solid(across, down, paint) for paint in PAINTS]
    picture = pyvips.Image.arrayjoin(cells, across=2)
    back = upright(orientation).inverse
    picture = picture.fliphor() if back.mirrored else picture
    picture = picture.rot(f"d{back.quarters * 90}") if back.quarters else picture
    picture = picture.copy()
    picture.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    options = {"Q": 95, "subsample_mode": "off"} if suffix == ".jpg" else {}
    return bytes(picture.write_to_buffer(suffix, **options))


def counting(frames: int = 5, suffix: str = ".gif", side: int = 24) -> bytes:
    """Make an animation whose frame n has the colour `frame_paint(n)`, shown 40 + 10·n ms, looping three times."""
    film = pyvips.Image.arrayjoin([solid(side, side, frame_paint(one)) for one in range(frames)], across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", side)
    film.set_type(pyvips.GValue.array_int_type, "delay", [40 + 10 * one for one in range(frames)])
    film.set_type(pyvips.GValue.gint_type, "loop", 3)
    return bytes(film.write_to_buffer(suffix, **({"lossless": True} if suffix == ".webp" else {})))


def frame_paint(number: int) -> tuple[int, int, int]:
    """Give the colour of one frame: neighbours differ strongly."""
    return PAINTS[number % 4] if number < 4 else (120, 0, 200)


@contextmanager
def opened(body: bytes) -> Iterator[int]:
    """Give a descriptor of the bytes."""
    fd = os.memfd_create("picture")
    try:
        os.write(fd, body)
        yield fd
    finally:
        os.close(fd)


def decoded(body: bytes) -> Any:  # noqa: ANN401 - pyvips has no types
    """Decode an answer, to sRGB."""
    return pyvips.Image.new_from_buffer(body, "").colourspace("srgb")


def near(picture: Any, x: int, y: int, paint: tuple[int, ...], tolerance: int = 16) -> bool:  # noqa: ANN401 - as above
    """Tell whether a pixel has a colour, each part within the tolerance."""
    return all(abs(found - asked) <= tolerance for found, asked in zip(picture(x, y), paint, strict=False))
