"""Formats that a setting lets in: SVG and TIFF; what they may do, and what not."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import pyvips
from PIL import Image

from proxy.core.errors import DarkroomError, LimitExceeded, UnsupportedFormat
from proxy.core.media.formats import ALWAYS_READ, SVG, TIFF, readable
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import PlanContext, plan_render, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels import boot, lettering
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from proxy.ports import OpenOriginal
from proxy.settings import Settings
from proxy.workers.pool import open_pool
from tests.pictures import BLUE, RED, decoded, near, opened, solid

SVG_RED = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40" height="20">'
    b'<rect width="40" height="20" fill="#dc1e1e"/></svg>'
)


@pytest.fixture(autouse=True)
def by_setting() -> Iterator[None]:
    """Enable the optional formats for one test."""
    boot.start(readable("svg,tiff"))
    lettering.open_fonts(None)
    yield
    pyvips.operation_block_set("VipsForeignLoad", True)
    boot.start(ALWAYS_READ)


def made(body: bytes, recipe: str) -> pyvips.Image:
    """Render a picture and decode it."""
    return decoded(rendered(body, recipe))


def rendered(body: bytes, recipe: str) -> bytes:
    with opened(body) as fd:
        return render(fd, resolve_plan(parse(recipe), probe(fd))).body


def pages(*paints: tuple[int, ...], width: int = 30) -> bytes:
    """Make a TIFF with a page of each colour."""
    film = pyvips.Image.arrayjoin([solid(width, 20, paint) for paint in paints], across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", 20)
    body: bytes = film.tiffsave_buffer()
    return body


def test_an_svg_is_drawn_at_the_size_that_is_asked_for() -> None:
    """An edge stays an edge, where a picture of 40 pixels made larger would be blurred."""
    half = SVG_RED.replace(b'<rect width="40"', b'<rect width="20"')
    picture = made(half, "w400-up-png")
    assert (picture.width, picture.height) == (400, 200)
    assert near(picture, 196, 100, (*RED, 255), 2)
    assert picture(203, 100)[3] == 0


def test_an_svg_of_its_own_family_is_a_png() -> None:
    with opened(SVG_RED) as fd:
        assert render(fd, resolve_plan(parse("w20"), probe(fd))).format.name == "png"


@pytest.mark.parametrize("crop", ["crop0_0_20_20-w10-png", "crop0.5_0_0.5_1-png"])
def test_a_part_of_an_svg(crop: str) -> None:
    assert near(made(SVG_RED, crop), 5, 5, (*RED, 255), 2)


@pytest.mark.parametrize(
    "content",
    [
        '<image href="file://{secret}" width="40" height="20"/>',
        '<image href="{secret}" width="40" height="20"/>',
        '<image href="http://127.0.0.1:1/x.png" width="40" height="20"/>',
        '<use href="{secret}#a"/>',
        "<script>document.documentElement.remove()</script>",
        '<foreignObject width="40" height="20"><iframe xmlns="http://www.w3.org/1999/xhtml" src="file:///etc/passwd"/></foreignObject>',
        '<style>@import url("file://{secret}"); rect {{ fill: url({secret}#a) }}</style>',
    ],
)
def test_an_svg_reaches_nothing_beyond_itself(content: str, tmp_path: Path) -> None:
    """References are not followed: nothing blue appears, or the original is refused."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(solid(40, 20, BLUE).pngsave_buffer())
    body = SVG_RED.replace(b"</svg>", content.format(secret=secret).encode() + b"</svg>")
    try:
        picture = made(body, "png")
    except DarkroomError:
        return
    assert not near(picture, 20, 10, BLUE, 60)
    assert near(picture, 20, 10, (*RED, 255), 2) or "fill: url" in content


SVG_WORD = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50">'
    b'<text x="10" y="40" font-size="37" %s>HIM</text></svg>'
)


def ink(picture: pyvips.Image) -> float:
    """Tell how much of a picture is drawn, 0 to 1."""
    return float(picture[3].avg() / 255)


async def test_letters_are_drawn_behind_the_walls_at_whatever_size_and_as_before_them(tmp_path: Path) -> None:
    """Boxes in place of letters, or a font of the machine's, would give other pixels."""
    file = tmp_path / "word.svg"
    file.write_bytes(SVG_WORD % b"")
    outside = made(file.read_bytes(), "w137-png")
    assert near(outside, 10, 20, (0, 0, 0, 255), 1)  # the H's left stem
    assert outside(16, 20)[3] == 0  # and what is between the two
    async with open_pool(Settings(home=tmp_path, workers=1, formats="svg")) as pool:
        with OpenOriginal(os.open(file, os.O_RDONLY), file.stat().st_size) as original:
            answer = await pool.render(original, None, lambda facts, _: resolve_plan(parse("w137-png"), facts))
    assert (decoded(answer.derivative.body) - outside).abs().max() == 0


@pytest.mark.parametrize("family", [b"Arial", b"serif", b"monospace", b"No Such Font"])
def test_any_family_falls_back_to_the_bundled_font(family: bytes) -> None:
    named = made(SVG_WORD % (b'font-family="%s"' % family), "png")
    assert ink(named) > 0.05
    assert (named - made(SVG_WORD % b"", "png")).abs().max() == 0


def test_bold_and_italic_are_seen_where_the_font_has_neither() -> None:
    plain, bold, italic = (
        made(SVG_WORD % style, "png") for style in (b"", b'font-weight="700"', b'font-style="italic"')
    )
    assert ink(bold) > 1.2 * ink(plain)
    assert 0.9 < ink(italic) / ink(plain) < 1.1
    assert (italic - plain).abs().max() > 200


@pytest.mark.parametrize("word", ["<text>Hi</text>", "<svg:text x='1'/>", "<g><text\nx='2'>a</text></g>"])
def test_without_letters_text_is_refused_before_boxes_are_drawn(word: str) -> None:
    """So a worker does where no Landlock lets it open fonts alone."""
    boot.start(readable("svg"), fonts=False)
    assert near(made(SVG_RED, "png"), 20, 10, (*RED, 255), 2)
    with pytest.raises(UnsupportedFormat, match="paths"):
        made(SVG_RED.replace(b"</svg>", word.encode() + b"</svg>"), "png")


def test_a_narrow_vector_is_drawn_once_and_not_enlarged_on_the_way() -> None:
    stripes = b"".join(b'<rect y="%d" width="1000" height="50" fill="#dc1e1e"/>' % (100 * at) for at in range(10))
    body = b'<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="1000">' + stripes + b"</svg>"
    picture = made(body, "w10-h1000-fill-png")
    assert near(picture, 5, 25, (*RED, 255), 2)
    assert picture(5, 75)[3] == 0
    tall = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="1000"><rect width="10" height="9"/></svg>'
    with opened(tall) as fd:
        plan = resolve_plan(parse("w8192-h10-fill-up-png"), probe(fd))
    assert plan.load is not None
    assert plan.load.pixels <= 50_000_000


def test_an_entity_of_a_file_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('<rect width="40" height="20" fill="#1e1edc"/>')
    declared = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "file://{secret}">]>'.encode()
    try:
        picture = made(declared + SVG_RED.replace(b"</svg>", b"&x;</svg>"), "png")
    except DarkroomError:
        return
    assert near(picture, 20, 10, (*RED, 255), 2)


def test_entities_do_not_explode() -> None:
    bomb = b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9)
    )
    body = bomb + b"]>" + SVG_RED.replace(b"</svg>", b"<text>&j;</text></svg>")
    with pytest.raises(DarkroomError):
        made(body, "png")


@pytest.mark.parametrize("recipe", ["thumbhash", "blurhash", "sepia-png", "w60-h60-contain-jpeg", "bgffffff80-png"])
@pytest.mark.parametrize("bands", [4, 5, 7])
def test_samples_of_a_tiff_beyond_colour_and_alpha_are_left_out(recipe: str, bands: int) -> None:
    body = solid(40, 30, RED).bandjoin([255] * (bands - 3)).copy(interpretation="srgb").tiffsave_buffer()
    answer = rendered(body, recipe)
    if recipe.endswith(("png", "jpeg")) and "sepia" not in recipe:
        assert near(decoded(answer)[0:3], 25, 25, RED, 4)


def test_a_page_of_a_tiff_is_chosen() -> None:
    body = pages(RED, BLUE)
    assert near(made(body, "png"), 15, 10, RED, 1)
    assert near(made(body, "page2-png"), 15, 10, BLUE, 1)
    with pytest.raises(LimitExceeded, match="Page 3"):
        made(body, "page3-png")


def test_each_page_of_a_tiff_has_its_own_size(tmp_path: Path) -> None:
    """Pillow writes pages of different sizes, which libvips reads one by one."""
    file = tmp_path / "pages.tiff"
    Image.new("RGB", (30, 20), RED).save(file, save_all=True, append_images=[Image.new("RGB", (50, 70), BLUE)])
    with opened(file.read_bytes()) as fd:
        assert (probe(fd).width, probe(fd).frames) == (30, 2)
        plan = plan_render(parse("page2-png"), probe(fd, 1), PlanContext())
        assert isinstance(plan, Plan)
        picture = decoded(render(fd, plan).body)
    assert (picture.width, picture.height) == (50, 70)
    assert near(picture, 25, 35, BLUE, 1)


def test_a_trim_looks_at_the_page_that_is_asked_for() -> None:
    framed = solid(10, 6, RED).embed(5, 4, 30, 20, extend="white")
    film = pyvips.Image.arrayjoin([solid(30, 20, BLUE), framed], across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", 20)
    from proxy.pixels.trim import find_content  # noqa: PLC0415 - blocked loaders are set up first

    with opened(film.tiffsave_buffer()) as fd:
        recipe, facts = parse("page2-trim10-png"), probe(fd, 1)
        assert plan_render(recipe, probe(fd), PlanContext()) == Page(1)
        question = plan_render(recipe, facts, PlanContext())
        assert isinstance(question, Trim)
        plan = plan_render(recipe, facts, PlanContext(), find_content(fd, question))
        assert isinstance(plan, Plan)
        picture = decoded(render(fd, plan).body)
    assert (picture.width, picture.height) == (10, 6)


@pytest.mark.parametrize("suffix", ["jpeg", "webp", "png", "avif", "tiff"])
@pytest.mark.parametrize("text", ["(c) Anna Beispiel (kept)", "abc", "2026"])
def test_a_tiff_s_rights_go_along(suffix: str, text: str) -> None:
    original = BytesIO()
    Image.new("RGB", (40, 30), RED).save(original, "TIFF", tiffinfo={33432: text, 315: "Anna", 305: "Scanner 1"})
    exif = Image.open(BytesIO(rendered(original.getvalue(), f"w20-{suffix}"))).getexif()
    assert (exif[33432], exif[315]) == (text, "Anna")
    assert 305 not in exif


@pytest.mark.parametrize("interpretation", ["lab", "rgb16", "b-w", "grey16", "scrgb"])
def test_a_tiff_s_colours_are_right_whatever_its_space(interpretation: str) -> None:
    grey = interpretation in ("b-w", "grey16")
    body = solid(30, 20, RED).colourspace(interpretation).tiffsave_buffer()
    expected = (104, 104, 104) if grey else RED
    assert near(made(body, "png"), 15, 10, expected, 15 if grey else 2)


async def test_a_worker_reads_them_behind_its_walls(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, workers=1, formats="svg,tiff")
    async with open_pool(settings) as pool:
        for body, source in ((SVG_RED, SVG), (pages(RED, BLUE), TIFF)):
            file = tmp_path / source.name
            file.write_bytes(body)
            with OpenOriginal(os.open(file, os.O_RDONLY), len(body)) as original:
                result = await pool.render(original, None, lambda facts, _: resolve_plan(parse("w20-png"), facts))
                assert result.facts.format is source
                assert near(decoded(result.derivative.body), 10, 5, RED, 2)


async def test_a_worker_refuses_them_where_no_setting_lets_them_in(tmp_path: Path) -> None:
    file = tmp_path / "picture.svg"
    file.write_bytes(SVG_RED)
    async with open_pool(Settings(home=tmp_path, workers=1)) as pool:
        with OpenOriginal(os.open(file, os.O_RDONLY), len(SVG_RED)) as original, pytest.raises(UnsupportedFormat):
            await pool.probe(original)
