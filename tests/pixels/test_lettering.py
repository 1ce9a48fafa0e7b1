"""Letters: which there are, and that none of them is a box with a number in it."""

import os
from pathlib import Path

import pytest
import pyvips

from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels import lettering
from proxy.ports import OpenOriginal, Planning
from proxy.settings import Settings
from proxy.workers.pool import open_pool
from tests.pictures import BLUE, decoded, solid

NO_LETTER = "\ue000"
"""For private use: no font at hand has it."""


@pytest.fixture(scope="module", autouse=True)
def fonts() -> None:
    lettering.open_fonts(None)


def size(picture: pyvips.Image) -> tuple[int, int]:
    return picture.width, picture.height


@pytest.mark.parametrize("text", ["ß", "Ж", "א", "ع", "😀", "🚀", "🎉", "❤️", "🇫🇷", "👨‍👩‍👧", "👍🏽", "☀️"])
def test_a_letter_is_no_box(text: str) -> None:
    assert size(lettering.draw_text(text)) != size(lettering.draw_text(NO_LETTER))


def test_signs_that_belong_together_are_one() -> None:
    """A family is three people with joiners between them, a flag is two letters."""
    woman = lettering.draw_text("👩").width
    assert lettering.draw_text("👨‍👩‍👧").width < 1.5 * woman
    assert lettering.draw_text("🇫🇷").width < 1.5 * woman


def test_what_is_read_from_the_right_begins_there() -> None:
    """The last of these letters is the widest."""
    ink = lettering.draw_text("אאאש")[3]
    first = ink.crop(0, 0, ink.width // 4, ink.height).avg()
    last = ink.crop(3 * ink.width // 4, 0, ink.width // 4, ink.height).avg()
    assert first > last


def saying(text: str) -> Planning:
    return lambda facts, _: resolve_plan(parse(f"text{text.encode().hex()}_c_90-png"), facts)


async def test_emoji_are_drawn_behind_the_walls(tmp_path: Path) -> None:
    file = tmp_path / "blue.png"
    solid(300, 100, BLUE).write_to_file(str(file))
    drawn = []
    async with open_pool(Settings(home=tmp_path, workers=1)) as pool:
        for text in ("🚀🎉", NO_LETTER * 2):
            with OpenOriginal(os.open(file, os.O_RDONLY), file.stat().st_size) as original:
                result = await pool.render(original, None, saying(text))
            drawn.append(decoded(result.derivative.body))
    assert (drawn[0] - drawn[1]).abs().avg() > 5
