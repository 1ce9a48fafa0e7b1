"""Procedural pictures for the demo, drawn by libvips from noise and distance fields, so that none has to be shipped.

Each scene returns the bytes of a file, and always the same bytes, so that uploading them again adds no original.
"""

from collections.abc import Callable
from math import cos, pi, sin
from typing import Any

import pyvips

Image: Any = pyvips.Image

_SEED = 20
_RARE = 3.55
"""Standard deviations: one of some thousand pixels is a star."""


def _coordinates(width: int, height: int) -> tuple[Any, Any]:
    """Return x and y as two bands of floats, both 0…1."""
    grid = Image.xyz(width, height).cast("float")
    return grid[0] / width, grid[1] / height


def _noise(width: int, height: int, cell: int, seed: int, octaves: int = 4) -> Any:  # noqa: ANN401 - pyvips has no types
    """Return fractal Perlin noise, about -1…1."""
    total = Image.black(width, height).cast("float")
    for octave in range(octaves):
        size = max(4, cell >> octave)
        total += Image.perlin(width, height, cell_size=size, seed=seed + octave) * 0.5**octave
    return total


def _clamp(image: Any) -> Any:  # noqa: ANN401 - pyvips has no types
    return (image > 0).ifthenelse((image < 1).ifthenelse(image, 1.0), 0.0)


def _blend(low: Any, high: Any, amount: Any) -> Any:  # noqa: ANN401 - pyvips has no types
    amount = _clamp(amount)
    return amount * high + (1 - amount) * low


def _finish(image: Any) -> Any:  # noqa: ANN401 - pyvips has no types
    return image.cast("uchar").copy(interpretation="srgb")


def dunes(width: int = 3000, height: int = 2000) -> bytes:
    """Draw ridges of sand under an evening sky."""
    x, y = _coordinates(width, height)
    picture = _blend([38, 46, 92], [250, 176, 120], y * 1.7)
    sun = ((x - 0.68) ** 2 * (width / height) ** 2 + (y - 0.40) ** 2) ** 0.5
    picture = _blend(picture, [255, 226, 170], 1 - sun * 3.2)
    picture = _blend(picture, [255, 246, 224], (0.075 - sun) * 300)
    for layer in range(6):
        depth = layer / 5
        ridge = _noise(width, 1, 700 - 80 * layer, _SEED + 10 * layer, octaves=3).embed(
            0, 0, width, height, extend="copy"
        )
        top = 0.46 + 0.09 * layer + ridge * (0.075 + 0.02 * layer)
        grain = _noise(width, height, 40, _SEED + layer, octaves=2) * 6
        shade = _blend([232, 142, 96], [58, 26, 44], depth * 0.9 + (y - top) * 1.3 + x * 0.06) + grain
        picture = _blend(picture, shade, (y - top) * height / 2)
    return _finish(picture).jpegsave_buffer(Q=92)


def aurora(width: int = 2400, height: int = 1600) -> bytes:
    """Draw northern lights above a lake."""
    _, y = _coordinates(width, height)
    picture = _blend([6, 10, 32], [18, 44, 72], y * 1.4)
    stars = Image.gaussnoise(width, height, mean=0, sigma=1, seed=_SEED)
    picture = _blend(picture, [235, 240, 255], (stars > _RARE) / 255.0 * (0.65 - y))
    veil = _noise(width, 1, 420, _SEED + 3).embed(0, 0, width, height, extend="copy")
    fine = _noise(width, 1, 48, _SEED + 7, octaves=3).embed(0, 0, width, height, extend="copy")
    for hue, offset, strength in (
        ([70, 245, 160], 0.0, 0.85),
        ([90, 160, 255], 0.09, 0.5),
        ([214, 90, 220], 0.17, 0.45),
    ):
        foot = 0.52 + veil * 0.16 - offset
        above = foot - y
        glow = (above * -5.2).exp() * (0.75 + fine * 0.45) * strength
        picture = _blend(picture, hue, (above > 0).ifthenelse(glow, (above * 42).exp() * strength * 0.8))
    ridge = _noise(width, 1, 360, _SEED + 11, octaves=6).embed(0, 0, width, height, extend="copy")
    land = y - (0.66 + ridge * 0.07)
    picture = _finish(_blend(picture, [5, 9, 18], land * height / 2))
    shore = round(height * 0.74)
    mirror = picture.crop(0, 2 * shore - height, width, height - shore).flipver().gaussblur(3) * [0.62, 0.68, 0.78]
    return _finish(picture.insert(_finish(mirror), 0, shore)).jpegsave_buffer(Q=92)


def ink(width: int = 2000, height: int = 2000) -> bytes:
    """Draw marbled paper: noise that is distorted by noise."""
    bend_x, bend_y = (_noise(width, height, 640, _SEED + seed, octaves=3) * 420 for seed in (21, 33))
    margin = 600  # larger than any distortion
    index = Image.xyz(width, height) + bend_x.bandjoin(bend_y) + margin
    bands = _noise(width + 2 * margin, height + 2 * margin, 300, _SEED + 45, octaves=3).mapim(index)
    phase = (bands * 1100).sin() * 0.5 + 0.5
    paper = _blend([14, 40, 74], [28, 122, 140], phase)
    paper = _blend(paper, [238, 232, 214], (phase - 0.62) * 3)
    paper = _blend(paper, [226, 120, 60], (bands - 0.28) * 6)
    return _finish(paper).webpsave_buffer(Q=90)


def planet(width: int = 1600, height: int = 1600) -> bytes:
    """Draw a sphere with clouds, lit from the left, on a transparent ground."""
    x, y = _coordinates(width, height)
    across, down = x * 2.3 - 1.15, y * 2.3 - 1.15
    square = across**2 + down**2
    depth = ((1 - square) > 0).ifthenelse(1 - square, 0) ** 0.5
    surface = _noise(width, height, 400, _SEED + 60, octaves=6)
    ground = _blend([24, 62, 128], [58, 132, 90], (surface - 0.02) * 14)
    ground = _blend(ground, [204, 184, 134], (surface - 0.22) * 7)
    clouds = _noise(width, height, 260, _SEED + 80, octaves=6)
    ground = _blend(ground, [250, 252, 255], (clouds - 0.12) * 3)
    light = _clamp(across * -0.62 + down * -0.42 + depth * 0.66)
    air = _clamp(1 - depth * 1.3) ** 2 * light
    lit = _blend(ground * (light * 1.15 + 0.03), [140, 196, 255], air)
    return _finish(lit.bandjoin(_clamp((1 - square**0.5) * width / 4) * 255)).pngsave_buffer(compression=7)


def orbit(side: int = 320, frames: int = 24) -> bytes:
    """Draw an animation of discs that circle around each other, supersampled four times for smooth edges."""
    paints = ([228, 87, 46], [23, 126, 137], [255, 201, 92], [46, 64, 87])
    large = 4 * side
    drawn = []
    for frame in range(frames):
        turn = 2 * pi * frame / frames
        picture = Image.black(large, large, bands=3).linear(1, [250, 240, 226]).cast("uchar")
        for index, paint in enumerate(paints):
            angle = turn + index * pi / 2
            reach = (0.17 + 0.11 * sin(turn * 2 + index * pi / 2)) * large
            middle = round(large / 2 + reach * cos(angle)), round(large / 2 + reach * sin(angle))
            picture = picture.draw_circle(paint, *middle, round(0.105 * large), fill=True)
        drawn.append(_finish(picture.shrink(4, 4)))
    film = Image.arrayjoin(drawn, across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", side)
    film.set_type(pyvips.GValue.array_int_type, "delay", [60] * frames)
    film.set_type(pyvips.GValue.gint_type, "loop", 0)
    return film.gifsave_buffer(effort=1, dither=0)


SCENES: dict[str, Callable[[], bytes]] = {
    "dunes.jpg": dunes,
    "aurora.jpg": aurora,
    "ink.webp": ink,
    "planet.png": planet,
    "orbit.gif": orbit,
}
"""Scenes by file name."""
