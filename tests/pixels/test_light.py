"""Colours that are signalled otherwise than by a profile, judged by the standards' formulas, and by their siblings."""

import os
import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pyvips

from proxy.core.geometry import Box
from proxy.core.media.facts import Facts
from proxy.core.media.formats import ALWAYS_READ, readable
from proxy.core.planning.plan import Plan
from proxy.core.planning.planner import PlanContext, resolve_plan
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.grammar import parse
from proxy.pixels import boot
from proxy.pixels.probe import probe
from proxy.ports import OpenOriginal
from proxy.settings import Settings
from proxy.workers.pool import open_pool
from tests.pictures import decoded, near, opened, solid
from tests.pixels.test_colour import PATCHES, WIDE, adobe_to_srgb, made, p3_to_srgb, profile, tagged

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
SAID = (b"sRGB", b"\0")
ADOBE = (31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000)
"""cHRM: white, red, green, blue."""


def chunked(body: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """Put chunks into a PNG, right behind its header."""
    inserted = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return body[:33] + inserted + body[33:]


def cicp(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes((primaries, transfer, 0, 1))


def gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def deep(*parts: float, side: int = 32) -> bytes:
    """Write a PNG of one colour, of 16 bits; the parts go from 0 to 1."""
    picture = pyvips.Image.black(side, side, bands=len(parts)).linear(1, [round(65_535 * part) for part in parts])
    kind = "grey16" if len(parts) < 3 else "rgb16"
    return bytes(picture.cast("ushort").copy(interpretation=kind).pngsave_buffer(bitdepth=16))


def pq(nits: float) -> float:
    """SMPTE ST 2084, from light to number."""
    root = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375


def srgb_of(light: float) -> int:
    """IEC 61966-2-1."""
    light = min(1.0, max(0.0, light))
    return round(255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055))


def pixel(body: bytes, recipe: str = "w16-png", rendering: RenderingOptions | None = None) -> tuple[int, ...]:
    return tuple(round(part) for part in decoded(made(body, recipe, rendering))(8, 8))


@pytest.mark.parametrize("nits", [0, 0.1, 5, 20.3, 101.5, 150, 162])
def test_pq_up_to_the_knee_is_light_on_a_screen_whose_white_is_203_nits(nits: float) -> None:
    for body in (deep(*(pq(nits),) * 3), deep(pq(nits))):
        assert pixel(chunked(body, cicp(1, 16))) == pytest.approx((srgb_of(nits / 203),) * 3, abs=1)


def test_brighter_stays_brighter_up_to_white_and_white_stays_white() -> None:
    pixels = [pixel(chunked(deep(*(pq(nits),) * 3), cicp(9, 16))) for nits in (162, 203, 400, 1_000, 4_000)]
    assert all(red == green == blue for red, green, blue in pixels)
    assert [red for red, _, _ in pixels] == sorted({red for red, _, _ in pixels})
    assert pixels[1][0] >= 240
    assert pixels[3][0] >= 253


def test_what_is_too_bright_keeps_its_hue() -> None:
    """Ten whites of orange are still orange: the channels are to each other as they were."""
    red, green, blue = pixel(chunked(deep(pq(2030), pq(1015), pq(0)), cicp(1, 16)))
    assert red >= 253
    assert green == pytest.approx(srgb_of(0.5), abs=3)
    assert blue == 0


@pytest.mark.parametrize("bands", [1, 3])
def test_hlg_is_light_on_a_screen_of_1000_nits(bands: int) -> None:
    for number, scene in ((0.5, 1 / 12), (0.25, 0.25**2 / 3)):
        light = 1_000 * scene**1.2 / 203
        assert pixel(chunked(deep(*(number,) * bands), cicp(9, 18))) == pytest.approx((srgb_of(light),) * 3, abs=1)
    assert min(pixel(chunked(deep(*(0.75,) * bands), cicp(9, 18)))) >= 240  # its reference white, of 203 nits
    assert min(pixel(chunked(deep(*(1.0,) * bands), cicp(9, 18)))) >= 253


@pytest.mark.parametrize("paint", PATCHES)
@pytest.mark.parametrize("rendering", [RenderingOptions(), RenderingOptions(linear_light=True)])
def test_display_p3_by_numbers_becomes_srgb_by_the_formula(
    paint: tuple[int, int, int], rendering: RenderingOptions
) -> None:
    body = chunked(solid(32, 32, paint).pngsave_buffer(), cicp(12, 13))
    assert pixel(body, "w16-png", rendering) == pytest.approx(p3_to_srgb(paint), abs=1)


@pytest.mark.parametrize("linear", [False, True])
def test_wide_numbers_become_display_p3_where_the_tenant_wants_them(linear: bool) -> None:
    body = chunked(solid(64, 64, (250, 40, 20)).pngsave_buffer(), cicp(12, 13))
    answer = pyvips.Image.new_from_buffer(
        made(body, "w32-png", RenderingOptions(wide_gamut=True, linear_light=linear)), ""
    )
    assert answer.get("icc-profile-data") == profile("p3")
    assert near(answer, 16, 16, (250, 40, 20), 1)
    with opened(body) as fd:
        assert probe(fd).wide
    bright = chunked(deep(pq(400), pq(10), pq(10), side=64), cicp(9, 16))
    answer = pyvips.Image.new_from_buffer(made(bright, "w32-webp", WIDE), "")
    assert answer.get_typeof("icc-profile-data")


def test_numbers_no_wider_than_srgb_have_no_profile() -> None:
    for body in (chunked(deep(*(pq(100),) * 3), cicp(1, 16)), chunked(deep(pq(100)), cicp(9, 16))):
        answer = pyvips.Image.new_from_buffer(made(body, "w16-png", WIDE), "")
        assert not answer.get_typeof("icc-profile-data")


@pytest.mark.parametrize("chunk", [cicp(1, 13), cicp(1, 1), cicp(1, 6), cicp(2, 2), gama(0.45455)])
def test_what_is_srgb_by_numbers_is_what_it_was(chunk: tuple[bytes, bytes]) -> None:
    plain = solid(32, 32, (200, 100, 50)).pngsave_buffer()
    assert made(chunked(plain, chunk), "w16-png") == made(plain, "w16-png")


@pytest.mark.parametrize(
    ("gamma", "number", "expected"),
    [(1.0, 128, 188), (1.0, 0, 0), (1.0, 255, 255), (0.35, 128, srgb_of((128 / 255) ** (1 / 0.35)))],
)
def test_a_png_s_gamma_is_undone(gamma: float, number: int, expected: int) -> None:
    for paint in ((number,) * 3, (number,) * 4, (number,)):
        picture = solid(32, 32, paint).copy(interpretation="srgb" if len(paint) > 1 else "b-w")
        channels = pixel(chunked(picture.pngsave_buffer(), gama(gamma)))
        assert channels[:3] == pytest.approx((expected,) * 3, abs=1)
        assert len(channels) < 4 or channels[3] == number


def test_a_gamma_is_of_16_bits_as_well() -> None:
    for parts in ((0.5,), (0.5, 0.5), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.4)):
        channels = pixel(chunked(deep(*parts), gama(1.0)))
        assert channels[:3] == pytest.approx((188,) * 3, abs=1)
        assert len(channels) < 4 or channels[3] == pytest.approx(255 * parts[-1], abs=1)


@pytest.mark.parametrize("paint", PATCHES)
def test_a_png_s_chromaticities_count_beside_a_gamma(paint: tuple[int, int, int]) -> None:
    chromaticities = (b"cHRM", struct.pack(">8I", *ADOBE))
    body = chunked(solid(32, 32, paint).pngsave_buffer(), gama(256 / 563), chromaticities)
    assert pixel(body) == pytest.approx(adobe_to_srgb(paint), abs=4)


def test_the_strongest_signal_wins() -> None:
    paint = (200, 100, 50)
    plain = solid(32, 32, paint).pngsave_buffer()
    by_profile = tagged(solid(32, 32, paint), profile("p3"))
    assert pixel(chunked(plain, SAID, gama(1.0))) == paint
    assert pixel(chunked(plain, SAID, cicp(12, 13))) == pytest.approx(p3_to_srgb(paint), abs=1)
    assert pixel(chunked(by_profile, gama(1.0))) == pytest.approx(p3_to_srgb(paint), abs=4)
    assert pixel(chunked(by_profile, cicp(1, 13))) == paint


def test_what_is_handed_out_untouched_says_what_its_numbers_mean() -> None:
    noise = pyvips.Image.gaussnoise(64, 64, mean=128, sigma=60, seed=1).cast("uchar")
    body = chunked(noise.bandjoin([noise, noise]).copy(interpretation="srgb").pngsave_buffer(), cicp(12, 16))
    answer = made(body, "png")
    assert b"cICP" in answer or answer == made(body, "w64-png")


def by_numbers(picture: Any, primaries: int, transfer: int) -> bytes:  # noqa: ANN401 - pyvips has no types
    """Write an AVIF that has a signal, in the place of the profile that libvips writes."""
    body = picture.icc_transform("p3").heifsave_buffer(
        compression="av1", Q=98, subsample_mode="off", effort=0, keep="icc"
    )
    at = bytes(body).index(b"colrrICC")
    return bytes(body[:at] + b"colrnclx" + struct.pack(">HHHB", primaries, transfer, 6, 128) + body[at + 15 :])


@pytest.mark.parametrize(("primaries", "transfer"), [(12, 13), (12, 1), (9, 8), (1, 4)])
def test_an_avif_s_numbers_count(primaries: int, transfer: int) -> None:
    """The same numbers in a PNG are the judge; libvips' own conversion has to come out as they are."""
    picture = solid(32, 32, (230, 60, 40))
    body = by_numbers(picture, primaries, transfer)
    stored = tuple(round(part) for part in pyvips.Image.new_from_buffer(body, "")(8, 8))
    judged = chunked(solid(32, 32, stored).pngsave_buffer(), cicp(primaries, transfer))
    assert pixel(body) == pytest.approx(pixel(judged), abs=1)
    with opened(body) as fd:
        assert (probe(fd).wide, probe(fd).icc) == (primaries != 1, False)


def avif(name: str) -> Any:  # noqa: ANN401 - as above
    return decoded(made((CORPUS / "avif" / f"{name}.avif").read_bytes(), "png"))


def difference(first: Any, second: Any) -> float:  # noqa: ANN401 - as above
    """Tell how far two pictures are apart, on average of all channels, of 255."""
    return float((first - second).abs().avg())


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder ../shared/corpus is not there")
def test_the_same_picture_in_other_primaries_is_the_same() -> None:
    judge = avif("colors_hdr_srgb")
    for name in ("colors_hdr_p3", "colors_hdr_rec2020"):
        assert difference(avif(name), judge) < 2
    assert difference(avif("seine_hdr_rec2020"), avif("seine_hdr_srgb")) < 2


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder ../shared/corpus is not there")
def test_a_high_picture_is_like_its_sibling_for_every_screen() -> None:
    """It is a third brighter where it is bright: its author's white is 470 nits, ours 203. The ends are the same."""
    sibling, high = avif("colors_sdr_srgb"), avif("colors_hdr_srgb")
    for place in ((10, 10), (190, 10), (10, 160), (190, 160)):
        assert near(high, *place, tuple(sibling(*place)), 12)
    assert difference(high, sibling) < 30
    assert difference(avif("seine_hdr_srgb"), avif("seine_sdr_gainmap_srgb")) < 20


@pytest.mark.parametrize("parts", [(0.0,), (0.5,), (1.0,), (7.0,), (-1.0,), (0.5, 0.4), (0.5, 0.5, 0.5)])
def test_a_tiff_in_floating_point_is_light(parts: tuple[float, ...]) -> None:
    picture = pyvips.Image.black(32, 32, bands=len(parts)).linear(1, list(parts)).cast("float")
    body = picture.copy(interpretation="scrgb" if len(parts) > 2 else "b-w").tiffsave_buffer()
    boot.start(readable("tiff"))
    try:
        pixels = [pixel(body), pixel(body, "png"), pixel(body, "w16-png", RenderingOptions(linear_light=True))]
    finally:
        pyvips.operation_block_set("VipsForeignLoad", True)
        boot.start(ALWAYS_READ)
    for channels in pixels:
        assert channels[:3] == pytest.approx((srgb_of(parts[0]),) * 3, abs=1)
        assert len(parts) != 2 or channels[3] == pytest.approx(102, abs=1)


def planning(terms: PlanContext, facts: Facts, _: Box | None) -> Plan:
    return resolve_plan(parse("w16-png"), facts, terms)


async def test_a_worker_does_it_in_the_sandbox(tmp_path: Path) -> None:
    bodies = {
        "p3": chunked(solid(32, 32, (250, 40, 20)).pngsave_buffer(), cicp(12, 13)),
        "hlg": chunked(deep(0.5, 0.4, 0.3), cicp(9, 18)),
        "pq": chunked(deep(0.5, 0.4, 0.3, 0.5), cicp(9, 16)),
        "avif": by_numbers(solid(32, 32, (250, 40, 20)), 9, 8),
    }
    async with open_pool(Settings(home=tmp_path, workers=1)) as pool:
        for name, body in bodies.items():
            (tmp_path / name).write_bytes(body)
            for rendering in (WIDE, RenderingOptions()):
                terms = PlanContext(rendering=rendering)
                with OpenOriginal(os.open(tmp_path / name, os.O_RDONLY), len(body)) as original:
                    answer = await pool.render(original, None, partial(planning, terms))
                assert answer.derivative.body == made(body, "w16-png", rendering)
