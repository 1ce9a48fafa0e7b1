"""Crops that find faces: drawn ones, at places that are known."""

import os
import sys
from pathlib import Path

import pytest
import pyvips

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Box, Size
from proxy.core.media.facts import Facts
from proxy.core.media.formats import PNG
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import Capabilities, PlanContext, plan_render, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels import faces
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from proxy.ports import OpenOriginal
from proxy.settings import Settings
from proxy.workers.pool import open_pool
from tests.pictures import opened, solid

FACE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 240" width="200" height="240">'
    b'<ellipse cx="100" cy="70" rx="82" ry="68" fill="#2a2020"/>'
    b'<ellipse cx="100" cy="120" rx="68" ry="88" fill="#d8b090"/>'
    b'<ellipse cx="70" cy="104" rx="20" ry="12" fill="#8a6650"/>'
    b'<ellipse cx="130" cy="104" rx="20" ry="12" fill="#8a6650"/>'
    b'<path d="M50 86h40v7h-40zM110 86h40v7h-40z" fill="#3a2a22"/>'
    b'<ellipse cx="70" cy="105" rx="13" ry="7" fill="#302018"/>'
    b'<ellipse cx="130" cy="105" rx="13" ry="7" fill="#302018"/>'
    b'<path d="M96 100l-4 40h16l-4-40z" fill="#e8c4a8"/><ellipse cx="100" cy="146" rx="16" ry="6" fill="#a87860"/>'
    b'<ellipse cx="100" cy="170" rx="28" ry="8" fill="#8a4a44"/></svg>'
)
"""Two hundred by 240; the middle of the face is at (100, 120)."""
SEES = PlanContext(capabilities=Capabilities(faces=True))
GREY = (112, 112, 112)


@pytest.fixture(autouse=True, scope="module")
def detector() -> None:
    faces.enable()


def crowd(*places: tuple[int, int, float], width: int = 900, height: int = 300) -> pyvips.Image:
    """Draw faces with their middle at (x, y), so many times as large, on grey."""
    ground = solid(width, height, GREY)
    pyvips.operation_block_set("VipsForeignLoadSvg", False)
    for x, y, times in places:
        face = pyvips.Image.svgload_buffer(FACE, scale=times).gaussblur(2)
        face = face.flatten(background=GREY).cast("uchar")
        ground = ground.insert(face, x - round(100 * times), y - round(120 * times))
    pyvips.operation_block_set("VipsForeignLoadSvg", True)
    return ground.copy_memory()


def close(box: Box | None, x: int, y: int, within: int = 15) -> bool:
    """Tell whether a box's middle is where it should be."""
    assert box
    return abs(box.left + box.width / 2 - x) < within and abs(box.top + box.height / 2 - y) < within


@pytest.mark.parametrize("x", [150, 450, 760])
def test_a_face_is_in_the_middle_of_the_crop(x: int) -> None:
    assert close(faces.place_crop(crowd((x, 150, 1)), Size(240, 240)), x, 155)


def test_a_crop_stays_within_the_picture() -> None:
    assert faces.place_crop(crowd((110, 150, 1)), Size(300, 300)) == Box(0, 0, 300, 300)


def test_faces_that_fit_are_all_in_it_and_else_the_largest() -> None:
    picture = crowd((300, 150, 0.6), (560, 150, 1))
    assert close(faces.place_crop(picture, Size(500, 280)), 450, 150, 40)
    assert close(faces.place_crop(picture, Size(240, 280)), 560, 155)


def test_a_large_picture_is_looked_at_in_small() -> None:
    assert close(faces.place_crop(crowd((2_000, 600, 3), width=3_000, height=1_200), Size(900, 900)), 2_000, 615, 45)


def test_without_a_face_attention_finds_the_place() -> None:
    picture = solid(600, 200, GREY).insert(solid(40, 40, (220, 30, 30)), 500, 80)
    assert faces.place_crop(picture, Size(200, 200)) is None
    with opened(picture.pngsave_buffer()) as fd:
        bodies = [
            render(fd, resolve_plan(parse(f"w200-h200-g{how}-png"), probe(fd), SEES)).body for how in ("face", "smart")
        ]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("recipe", ["w150-h150-gface-png", "w150-h150-gface-bg000000-jpeg"])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_rendered_crop_has_the_face(recipe: str, alpha: bool) -> None:
    picture = crowd((700, 150, 1))
    picture = picture.addalpha() if alpha else picture
    with opened(picture.pngsave_buffer()) as fd:
        picture = pyvips.Image.new_from_buffer(render(fd, resolve_plan(parse(recipe), probe(fd), SEES)).body, "")
    hair, skin = picture(75, 23)[0], picture(75, 45)[0]
    assert hair < 70
    assert skin > 180


def test_without_a_detector_it_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="gsmart"):
        resolve_plan(parse("w10-h10-gface"), Facts(PNG, 100, 50))


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(faces.NoDetector, match=r"\.\[faces\]"):
        faces.enable()


def planning(facts: Facts, trimmed: Box | None) -> Plan | Page | Trim:
    return plan_render(parse("w150-h150-gface-png"), facts, SEES, trimmed)


async def test_a_worker_finds_it_in_the_sandbox(tmp_path: Path) -> None:
    body = crowd((700, 150, 1)).pngsave_buffer()
    file = tmp_path / "faces.png"
    file.write_bytes(body)
    async with open_pool(Settings(home=tmp_path, workers=1, faces=True)) as pool:
        with OpenOriginal(os.open(file, os.O_RDONLY), len(body)) as original:
            result = await pool.render(original, None, planning)
        assert not pool.restarts
    assert pyvips.Image.new_from_buffer(result.derivative.body, "")(75, 23)[0] < 70
