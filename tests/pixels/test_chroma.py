"""Chroma subsampling: off if the picture has fine coloured details, on if it has not."""

from io import BytesIO

import pytest
import pyvips
from PIL import Image

from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels.chroma import has_fine_chroma
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from proxy.pixels.scenes import dunes
from tests.pictures import RED, WHITE, decoded, opened, solid

BLUE = (20, 40, 230)
PHOTO = pyvips.Image.new_from_buffer(dunes(600, 400), "").copy_memory()


def stripes(paint: tuple[int, ...] = RED, ground: tuple[int, ...] = WHITE, side: int = 240) -> pyvips.Image:
    """Draw lines of one pixel, every third column."""
    cell = solid(3, side, ground).insert(solid(1, side, paint), 0, 0)
    return cell.replicate(side // 3, 1).copy_memory()


def made(picture: pyvips.Image, recipe: str) -> bytes:
    with opened(picture.pngsave_buffer()) as fd:
        return render(fd, resolve_plan(parse(recipe), probe(fd))).body


def subsampled(body: bytes) -> bool:
    """Read the sampling factors of a JPEG's first component (ITU T.81 §B.2.2)."""
    with Image.open(BytesIO(body)) as image:
        return image.layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]


def test_coloured_lines_are_fine_and_grey_ones_and_photographs_are_not() -> None:
    assert has_fine_chroma(stripes())
    assert has_fine_chroma(stripes(RED, BLUE).addalpha())
    assert not has_fine_chroma(stripes((20, 20, 20)))
    assert not has_fine_chroma(PHOTO)
    assert not has_fine_chroma(solid(40, 40, RED).insert(solid(20, 40, BLUE), 0, 0).replicate(4, 4).copy_memory())


@pytest.mark.parametrize("side", [9, 10, 11, 12, 20])
def test_a_picture_of_any_size_can_be_analysed(side: int) -> None:
    made(stripes(side=side), "jpeg")


def test_a_jpeg_s_colour_is_whole_where_it_has_fine_chroma() -> None:
    assert not subsampled(made(stripes(), "jpeg"))
    assert subsampled(made(PHOTO, "w240-jpeg"))
    assert not subsampled(made(PHOTO, "w240-q95-jpeg"))


@pytest.mark.parametrize("output", ["jpeg", "avif"])
def test_red_lines_stay_red(output: str) -> None:
    """With subsampled chroma, a red line on white has at most half of its colour."""
    picture = decoded(made(stripes(), f"q70-{output}"))
    red, green, _ = picture(120, 120)[:3]
    assert red - green > 120


def test_webp_takes_care_where_it_cannot_keep_it_whole() -> None:
    careful = decoded(made(stripes(), "q70-webp"))
    careless = decoded(stripes().webpsave_buffer(Q=70, effort=4))
    errors = [float((image.extract_band(0, n=3) - stripes()).abs().avg()) for image in (careful, careless)]
    assert errors[0] < errors[1]
