"""HEIC, JPEG XL and PDF, written by other programs: originals of other writers are read, also in the sandbox."""

import os
from base64 import b64decode
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import pillow_heif
import pillow_jxl
import pypdfium2
import pytest
import pyvips
from PIL import Image, ImageOps

from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded
from proxy.core.geometry import Box
from proxy.core.media.facts import Facts
from proxy.core.media.formats import ALWAYS_READ, HEIC, JXL, PDF, readable, writable
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import Capabilities, PlanContext, plan_render, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.pixels import boot, extras
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from proxy.ports import OpenOriginal
from proxy.settings import Settings
from proxy.workers.pool import open_pool
from proxy.workers.process import WorkerStartError
from tests.pictures import BLUE, RED, decoded, near, opened

FORMATS = "heic,jxl,pdf"
EQUIPPED = PlanContext(capabilities=Capabilities(writable(FORMATS)))
GREEN, WHITE = (30, 160, 60), (255, 255, 255)
COPYRIGHT = 0x8298
JXL_P3 = (
    "/wpHQAhfChIOkA3ZeioU/B6ZFVr+d6SEEylKfPo49lZY4HvAzrO886x+z2jtOzIajZa+RQibMW1mBwCA/4q9lkyMbUMaQOaEuTNnDB05LAAAQP"
    "n1f41XUHFRkbuo4n7vV843V0ndR2qtCwAAACBlKgCfYdxMBpYzB7qZAVKmAvgM42byazlDhoNQe60+6PSabxiBv3r777/zK/x3QvuF9N9/9w31"
    "33/9cXirocAlOuiX6/0BUfqjsbuMWuPQYTZGFBnciydmUirviWkydgpllA0IAgEAaABLGIsVANQTY4wT48wFIgAQJPkCGCCAPEJ7Fg=="
)
"""A picture of the colour (200, 100, 50) in Display P3, written by cjxl."""


@pytest.fixture(autouse=True)
def by_setting() -> Iterator[None]:
    """Enable the optional formats for one test."""
    boot.start(readable(FORMATS))
    yield
    pyvips.operation_block_set("VipsForeignLoad", True)
    boot.start(ALWAYS_READ)


def quadrants(mode: str = "RGB", width: int = 64, height: int = 48) -> Image.Image:
    """Red, green; blue, white."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image.convert(mode)


def heic(image: Image.Image, **how: object) -> bytes:
    written = BytesIO()
    pillow_heif.from_pillow(image).save(written, quality=95, chroma=444, **how)
    return written.getvalue()


def jxl(image: Image.Image, **how: object) -> bytes:
    assert pillow_jxl
    written = BytesIO()
    image.save(written, "JXL", **{"quality": 95} | how)
    return written.getvalue()


def pdf(*sizes: tuple[int, int]) -> bytes:
    """Write a page of each size, in points, with a red square of 20 points in its lower left corner."""
    document = pypdfium2.PdfDocument.new()
    for width, height in sizes:
        page = document.new_page(width, height)
        square = pypdfium2.raw.FPDFPageObj_CreateNewRect(0, 0, 20, 20)
        pypdfium2.raw.FPDFPageObj_SetFillColor(square, *RED, 255)
        pypdfium2.raw.FPDFPath_SetDrawMode(square, 1, False)
        pypdfium2.raw.FPDFPage_InsertObject(page, square)
        page.gen_content()
    written = BytesIO()
    document.save(written)
    return written.getvalue()


def made(body: bytes, recipe: str) -> pyvips.Image:
    """Render a picture and decode it."""
    with opened(body) as fd:
        return decoded(render(fd, resolve_plan(parse(recipe), probe(fd), EQUIPPED)).body)


def is_quadrants(picture: pyvips.Image, tolerance: int = 12) -> bool:
    x, y = picture.width // 4, picture.height // 4
    corners = ((x, y, RED), (3 * x, y, GREEN), (x, 3 * y, BLUE), (3 * x, 3 * y, WHITE))
    return all(near(picture, *corner, tolerance) for corner in corners)


@pytest.mark.parametrize("write", [heic, jxl])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 47), (16, 16), (301, 77)])
def test_its_pixels_and_its_size_are_right(write: object, width: int, height: int) -> None:
    body = write(quadrants(width=width, height=height))  # type: ignore[operator]
    with opened(body) as fd:
        facts = probe(fd)
    assert (facts.width, facts.height, facts.frames, facts.alpha) == (width, height, 1, False)
    picture = made(body, "png")
    assert (picture.width, picture.height) == (width, height)
    assert is_quadrants(picture)


@pytest.mark.parametrize("write", [heic, jxl])
def test_alpha_stays(write: object) -> None:
    image = quadrants("RGBA")
    image.paste((0, 0, 0, 0), (32, 24, 64, 48))
    body = write(image)  # type: ignore[operator]
    with opened(body) as fd:
        assert probe(fd).alpha
    picture = made(body, "w32-png")
    assert picture(24, 18)[3] == 0
    assert near(picture, 8, 6, (*RED, 255), 12)


@pytest.mark.parametrize("write", [heic, jxl])
def test_without_a_named_format_it_is_a_jpeg(write: object) -> None:
    body = write(quadrants())  # type: ignore[operator]
    with opened(body) as fd:
        assert render(fd, resolve_plan(parse("w20"), probe(fd), EQUIPPED)).format.name == "jpeg"


@pytest.mark.parametrize("write", [heic, jxl])
def test_rights_are_kept_and_the_place_is_not(write: object) -> None:
    exif = Image.Exif()
    exif[COPYRIGHT] = "© Zoë (a)".encode()
    exif.get_ifd(0x8825)[1] = "N"
    body = write(quadrants(), exif=exif.tobytes())  # type: ignore[operator]
    for recipe in ("w20-jpeg", "w20-keep-jpeg"):
        with opened(body) as fd:
            read = Image.open(BytesIO(render(fd, resolve_plan(parse(recipe), probe(fd), EQUIPPED)).body)).getexif()
        assert read[COPYRIGHT].encode("latin-1").decode() == "© Zoë (a)"
        assert not read.get_ifd(0x8825)


def test_a_profile_is_applied(p3: bytes) -> None:
    """A colour in Display P3 has other numbers in sRGB."""
    for body in (heic(Image.new("RGB", (32, 32), (200, 100, 50)), icc_profile=p3), b64decode(JXL_P3)):
        assert near(made(body, "png"), 16, 16, (214, 96, 36), 4)


@pytest.mark.parametrize("transfer", [13, 1])
def test_a_heic_s_numbers_count_where_it_has_no_profile(transfer: int, p3: bytes) -> None:
    """The same colour as with the profile, but for that's rounding; 12 is Display P3."""
    signal = {"color_primaries": 12, "transfer_characteristics": transfer, "matrix_coefficients": 6}
    picture = Image.new("RGB", (32, 32), (200, 100, 50))
    body = heic(picture, full_range_flag=1, **signal)
    assert near(made(body, "png"), 16, 16, (215, 93, 31), 2)
    for original, wide in ((body, True), (heic(picture, icc_profile=p3), False)):
        with opened(original) as fd:
            assert (probe(fd).wide, probe(fd).icc) == (wide, not wide)


@pytest.fixture(scope="module")
def p3() -> bytes:
    profile: bytes = (
        pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb").icc_transform("p3").get("icc-profile-data")
    )
    return profile


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_heic_stands_upright(orientation: int) -> None:
    """It is turned once, as Pillow turns a PNG of the same pixels and orientation."""
    image = quadrants()
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = BytesIO()
    image.save(plain, "PNG", exif=exif.tobytes())
    expected = ImageOps.exif_transpose(Image.open(plain)).convert("RGB")
    turned = made(heic(image, exif=exif.tobytes()), "png")
    assert (turned.width, turned.height) == expected.size
    for x, y in ((1, 1), (3, 1), (1, 3), (3, 3)):
        at = x * turned.width // 4, y * turned.height // 4
        paint = expected.getpixel(at)
        assert isinstance(paint, tuple)
        assert near(turned, *at, paint, 12)


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_a_grey_jpeg_xl_of_8_and_of_16_bits(mode: str) -> None:
    image = Image.new("L", (40, 30), 100)
    expected = 100
    if mode == "I;16":  # the writer calls 16 bits linear light, and says so in the file
        image, expected = Image.new("I;16", (40, 30), 100 * 257), 168
    assert near(made(jxl(image, lossless=True), "w20-png"), 5, 5, (expected,) * 3, 1)


def test_a_repacked_jpeg_is_its_jpeg(tmp_path: Path) -> None:
    jpeg = tmp_path / "a.jpg"
    quadrants().save(jpeg, quality=95, subsampling=0)
    with Image.open(jpeg) as image:
        body = jxl(image, lossless_jpeg=True)
    assert is_quadrants(made(body, "png"))


def test_jpeg_xl_is_written_where_the_setting_says_so() -> None:
    with opened(made_png()) as fd:
        facts = probe(fd)
        written = render(fd, resolve_plan(parse("w32-jxl"), facts, EQUIPPED))
        assert written.format is JXL
        assert is_quadrants(made(written.body, "png"), 30)
        exact = render(fd, resolve_plan(parse("lossless-jxl"), facts, EQUIPPED))
        assert is_quadrants(made(exact.body, "png"), 0)
        with pytest.raises(LimitExceeded, match="Writing jxl is disabled"):
            resolve_plan(parse("w32-jxl"), facts, PlanContext())


def test_quality_means_something_in_jpeg_xl() -> None:
    noise = pyvips.Image.gaussnoise(200, 200, mean=128, sigma=40, seed=1).cast("uchar").pngsave_buffer()
    with opened(noise) as fd:
        facts = probe(fd)
        sizes = [
            len(render(fd, resolve_plan(parse(f"{how}-jxl"), facts, EQUIPPED)).body)
            for how in ("q20", "qlow", "qgood", "q95", "q100")
        ]
        assert sizes == sorted(sizes)
        assert sizes[0] * 2 < sizes[-1]
        assert len(render(fd, resolve_plan(parse("max8k-jxl"), facts, EQUIPPED)).body) <= 8 * 1024


def test_rights_are_written_into_a_jpeg_xl() -> None:
    exif = Image.Exif()
    exif[COPYRIGHT] = "© Zoë (a)".encode()
    source = BytesIO()
    quadrants().save(source, "JPEG", exif=exif.tobytes())
    with opened(source.getvalue()) as fd:
        body = render(fd, resolve_plan(parse("w32-jxl"), probe(fd), EQUIPPED)).body
    with Image.open(BytesIO(body)) as read:
        assert read.getexif()[COPYRIGHT].encode("latin-1").decode() == "© Zoë (a)"


def made_png() -> bytes:
    written = BytesIO()
    quadrants().save(written, "PNG")
    return written.getvalue()


def test_a_pdf_is_drawn_at_the_size_that_is_asked_for() -> None:
    picture = made(pdf((100, 50)), "w400-up-png")
    assert (picture.width, picture.height) == (400, 200)
    assert near(picture, 40, 160, RED, 1)
    assert near(picture, 78, 160, RED, 1)
    assert near(picture, 81, 160, WHITE, 1)
    assert near(picture, 40, 118, WHITE, 1)


def test_each_page_of_a_pdf_has_its_own_size() -> None:
    body = pdf((100, 50), (60, 90))
    with opened(body) as fd:
        facts = probe(fd)
        assert (facts.width, facts.height, facts.frames) == (100, 50, 2)
        second = plan_render(parse("page2-png"), probe(fd, 1), PlanContext())
        assert isinstance(second, Plan)
        picture = decoded(render(fd, second).body)
        assert (picture.width, picture.height) == (60, 90)
        with pytest.raises(LimitExceeded, match="Page 3"):
            resolve_plan(parse("page3-png"), facts)


def test_a_part_of_a_pdf() -> None:
    assert near(made(pdf((100, 50)), "crop0_30_20_20-png"), 10, 10, RED, 1)


@pytest.mark.parametrize("write", [heic, jxl])
def test_what_ends_early_or_is_changed_is_refused_or_a_picture(write: object) -> None:
    body = write(quadrants(width=200, height=150))  # type: ignore[operator]
    for end in range(16, len(body) - 1, max(1, len(body) // 12)):
        with pytest.raises(DarkroomError):
            made(body[:end], "w20-png")
    for at in range(40, len(body), max(1, len(body) // 25)):
        changed = body[:at] + bytes([body[at] ^ 0x5A]) + body[at + 1 :]
        try:
            made(changed, "w20-png")
        except DarkroomError:
            continue


def test_a_pdf_without_pages_or_sense_is_refused() -> None:
    for body in (b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(1000), pdf((100, 50))[:200]):
        with pytest.raises(CorruptImage):
            made(body, "w20-png")


def test_a_jpeg_xl_bomb_is_refused_by_its_header() -> None:
    """A dozen bytes specify a size of 2³⁰ × 2³⁰."""
    bits = 0b0 | 0b11 << 1 | (2**30 - 1) << 3 | 0 << 33 | 0b11 << 36 | (2**30 - 1) << 38 | 1 << 68
    body = b"\xff\x0a" + bits.to_bytes(12, "little")
    with opened(body) as fd:
        facts = probe(fd)
        assert facts.width == facts.height == 2**30
        with pytest.raises(LimitExceeded):
            resolve_plan(parse("w20-png"), facts)


def planning(recipe: str, facts: Facts, trimmed: Box | None) -> Plan | Page | Trim:
    return plan_render(parse(recipe), facts, EQUIPPED, trimmed)


async def test_workers_do_all_this_in_the_sandbox(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, workers=1, formats=FORMATS)
    bodies = {HEIC: heic(quadrants()), JXL: jxl(quadrants()), PDF: pdf((64, 48), (30, 30))}
    async with open_pool(settings) as pool:
        for source, body in bodies.items():
            file = tmp_path / source.name
            file.write_bytes(body)
            with OpenOriginal(os.open(file, os.O_RDONLY), len(body)) as original:
                for recipe in ("w32-png", "w32-jxl", "w32-h32-gsmart-webp"):
                    result = await pool.render(original, None, partial(planning, recipe))
                    assert result.facts.format is source
                    assert result.derivative.width == 32
                if source is PDF:
                    second = await pool.render(original, None, partial(planning, "page2-png"))
                    assert (second.derivative.width, second.facts.width) == (30, 64)
        assert not pool.restarts


async def test_a_library_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.EXTRAS, PDF, "nothing")
    with pytest.raises(extras.NotInstalled, match=r"\.\[nothing\]"):
        extras.enable([PDF])


async def test_a_worker_that_lacks_a_library_says_so_before_it_serves(tmp_path: Path) -> None:
    command = ("/usr/bin/env", "python3", "-I", "-c", "raise SystemExit('no such library')")
    with pytest.raises(WorkerStartError, match="no such library"):
        async with open_pool(Settings(home=tmp_path, workers=1), command):
            pass
