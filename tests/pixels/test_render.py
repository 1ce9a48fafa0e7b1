"""Pixels: each option and format on pictures whose right answer is visible; tolerances are per channel of 255."""

import os
from fractions import Fraction

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.errors import CorruptImage, LimitExceeded, UnsupportedFormat
from proxy.core.geometry import Size
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import TEXTS
from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.recipe import Recipe
from proxy.pixels import boot
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from tests.pictures import (
    BLUE,
    GREEN,
    PAINTS,
    RED,
    WHITE,
    counting,
    decoded,
    frame_paint,
    near,
    opened,
    quadrants,
    solid,
)
from tests.recipes import recipes

boot.start()
pyvips.operation_block_set("VipsForeignLoadTiff", False)


def made(body: bytes, recipe: str | Recipe) -> Derivative:
    with opened(body) as fd:
        parsed = parse(recipe) if isinstance(recipe, str) else recipe
        return render(fd, resolve_plan(parsed, probe(fd)))


def corners(body: bytes) -> list[tuple[int, ...]]:
    """Name the colours at the middles of the four quarters, read like a page."""
    picture = decoded(body)
    xs, ys = (picture.width // 4, picture.width * 3 // 4), (picture.height // 4, picture.height * 3 // 4)
    spots = [(x, y) for y in ys for x in xs]
    return [next((paint for paint in PAINTS if near(picture, x, y, paint)), (0, 0, 0)) for x, y in spots]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("suffix", "output"), [(".jpg", "png"), (".png", "avif"), (".webp", "jpeg"), (".jpg", "webp")])
def test_every_orientation_comes_out_upright(orientation: int, suffix: str, output: str) -> None:
    answer = made(quadrants(orientation=orientation, suffix=suffix), f"w48-{output}")
    assert (answer.width, answer.height) == (48, 32)
    assert corners(answer.body) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    ("recipe", "shown"),
    [
        ("rot90-png", [BLUE, RED, WHITE, GREEN]),
        ("rot180-png", [WHITE, BLUE, GREEN, RED]),
        ("rot270-png", [GREEN, WHITE, RED, BLUE]),
        ("flip-png", [BLUE, WHITE, RED, GREEN]),
        ("flop-png", [GREEN, RED, WHITE, BLUE]),
        ("rot90-flop-png", [RED, BLUE, GREEN, WHITE]),
        ("flip-flop-png", [WHITE, BLUE, GREEN, RED]),
    ],
)
@pytest.mark.parametrize("orientation", [1, 5, 6, 8])
def test_turns_come_after_the_orientation(recipe: str, shown: list[tuple[int, ...]], orientation: int) -> None:
    assert corners(made(quadrants(orientation=orientation), recipe).body) == shown


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("recipe", "paint"),
    [
        ("crop0_0_48_32-png", RED),
        ("crop48_0_48_32-png", GREEN),
        ("crop0_0.5_0.5_0.5-png", BLUE),
        ("crop0.5_0.5_0.5_0.5-w10-png", WHITE),
    ],
)
def test_a_crop_speaks_of_the_upright_original(recipe: str, paint: tuple[int, ...], orientation: int) -> None:
    assert corners(made(quadrants(orientation=orientation), recipe).body) == [paint] * 4


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("gw", [RED, RED, BLUE, BLUE]),
        ("ge", [GREEN, GREEN, WHITE, WHITE]),
        ("fp0_0.5", [RED, RED, BLUE, BLUE]),
        ("fp1_0.5", [GREEN, GREEN, WHITE, WHITE]),
    ],
)
def test_a_cover_crop_keeps_its_side(where: str, shown: list[tuple[int, ...]]) -> None:
    assert corners(made(quadrants(), f"w20-h40-{where}-png").body) == shown


@pytest.mark.parametrize(("where", "paint"), [("gn", RED), ("gs", BLUE), ("gnw", RED), ("gsw", BLUE)])
def test_a_cover_crop_keeps_its_end(where: str, paint: tuple[int, ...]) -> None:
    assert corners(made(quadrants(), f"w96-h20-{where}-png").body)[0] == paint


@pytest.mark.parametrize("where", ["gsmart", "gentropy"])
def test_a_smart_crop_finds_what_there_is(where: str) -> None:
    flat = solid(400, 100, (90, 90, 90)).insert(solid(40, 40, (250, 60, 20)), 330, 30)
    answer = decoded(made(flat.write_to_buffer(".png"), f"w100-h100-{where}-png").body)
    assert answer[0].max() > 200


def test_contain_centres_and_pads() -> None:
    padded = decoded(made(quadrants(), "w96-h96-contain-bg102030-png").body)
    assert near(padded, 48, 4, (0x10, 0x20, 0x30), 1)
    assert near(padded, 48, 91, (0x10, 0x20, 0x30), 1)
    assert near(padded, 10, 20, RED)
    assert near(decoded(made(quadrants(), "w96-h96-contain-jpeg").body), 48, 4, (255, 255, 255), 3)
    clear = decoded(made(quadrants(), "w96-h96-contain-webp").body)
    assert clear(48, 4)[3] == 0
    assert clear(10, 40)[3] == 255


def test_nothing_is_enlarged_unless_asked() -> None:
    small = quadrants(40, 20)
    assert (made(small, "w80-png").width, made(small, "w80-up-png").width) == (40, 80)
    assert corners(made(small, "w80-up-png").body) == [RED, GREEN, BLUE, WHITE]
    assert (made(small, "w80-h10-fill-png").width, made(small, "w80-h10-fill-up-png").width) == (40, 80)


@pytest.mark.parametrize("output", ["jpeg", "webp", "avif", "png", "gif"])
@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif", ".png", ".gif"])
def test_every_format_becomes_every_format(suffix: str, output: str) -> None:
    answer = made(quadrants(suffix=suffix), f"w48-{output}")
    assert answer.format.name == output
    picture = decoded(answer.body)
    assert (picture.width, picture.height) == (48, 32)
    assert corners(answer.body) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("output", ["webp", "avif", "png"])
def test_alpha_is_kept_where_the_format_has_it(output: str) -> None:
    half = solid(40, 40, (220, 30, 30, 128)).write_to_buffer(".png")
    picture = decoded(made(half, f"w20-{output}").body)
    assert near(picture, 10, 10, (220, 30, 30, 128), 8)


def test_alpha_is_laid_over_the_background_where_it_has_not() -> None:
    half = solid(40, 40, (220, 30, 30, 128)).write_to_buffer(".png")
    assert near(decoded(made(half, "w20-jpeg").body), 10, 10, (237, 142, 142), 6)
    assert near(decoded(made(half, "w20-bg0000ff-jpeg").body), 10, 10, (110, 15, 142), 6)
    assert near(decoded(made(half, "w20-bg0000ff-png").body), 10, 10, (110, 15, 142, 255), 3)


def test_hidden_colour_does_not_leak_through_a_resize() -> None:
    hidden = solid(50, 100, (0, 255, 0, 0)).join(solid(50, 100, (255, 0, 0, 255)), "horizontal")
    picture = decoded(made(hidden.write_to_buffer(".png"), "w33-png").body)
    assert picture.extract_band(1).max() <= 2


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("output", ["gif", "webp"])
def test_an_animation_keeps_its_frames_times_and_loop(suffix: str, output: str) -> None:
    answer = made(counting(suffix=suffix), f"w12-q100-{output}" if output == "webp" else f"w12-{output}")
    film = pyvips.Image.new_from_buffer(answer.body, "n=-1")
    assert film.get("n-pages") == 5
    assert film.get("delay") == [40, 50, 60, 70, 80]
    assert film.get("loop") == 3
    for number in range(5):
        frame = film.crop(0, 12 * number, 12, 12).colourspace("srgb")
        for y in (0, 6, 11):
            assert near(frame, 6, y, frame_paint(number)), f"frame {number}, line {y}"


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize(("word", "number"), [("still", 0), ("frame1", 0), ("frame3", 2), ("frame5", 4)])
def test_one_frame_of_an_animation(suffix: str, word: str, number: int) -> None:
    picture = decoded(made(counting(suffix=suffix), f"{word}-w12-png").body)
    assert (picture.width, picture.height) == (12, 12)
    assert near(picture, 6, 6, frame_paint(number))


def test_deep_grey_and_cmyk_pictures_come_out_in_eight_bits() -> None:
    deep = solid(32, 32, RED).cast("ushort").linear(257, 0).cast("ushort").copy(interpretation="rgb16")
    answer = made(deep.write_to_buffer(".png"), "w16-png")
    assert pyvips.Image.new_from_buffer(answer.body, "").format == "uchar"
    assert near(decoded(answer.body), 8, 8, RED, 2)
    grey = pyvips.Image.black(32, 32).linear(1, 100).cast("uchar").copy(interpretation="b-w")
    assert near(decoded(made(grey.write_to_buffer(".jpg"), "w16-webp").body), 8, 8, (100, 100, 100), 3)
    cmyk = solid(32, 32, RED).icc_export(output_profile="cmyk").jpegsave_buffer(Q=95)
    assert pyvips.Image.new_from_buffer(cmyk, "").interpretation == "cmyk"
    assert near(decoded(made(cmyk, "w16-png").body), 8, 8, RED, 30)


def test_a_wide_gamut_profile_is_converted_and_left_out() -> None:
    wide = solid(32, 32, RED).icc_transform("p3", embedded=False, input_profile="srgb")
    body = wide.write_to_buffer(".png")
    assert not near(pyvips.Image.new_from_buffer(body, ""), 16, 16, RED, 8), "as stored, the numbers are others"
    answer = pyvips.Image.new_from_buffer(made(body, "w16-png").body, "")
    assert near(answer, 8, 8, RED, 4)
    assert not answer.get_typeof("icc-profile-data")


@pytest.mark.parametrize("output", ["jpeg", "webp", "avif", "png"])
def test_no_metadata_is_left(output: str) -> None:
    picture = solid(64, 64, RED).copy()
    picture.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "52/1 0/1 0/1")
    picture.set_type(pyvips.GValue.gstr_type, "exif-ifd0-ImageDescription", "secret place")
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>secret place</x:xmpmeta>")
    body = picture.jpegsave_buffer()
    assert b"secret place" in body
    answer = made(body, f"w32-{output}")
    assert b"secret" not in answer.body
    assert b"Exif" not in answer.body


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif"])
def test_a_truncated_original_is_damaged(suffix: str) -> None:
    noise = pyvips.Image.gaussnoise(200, 200, mean=128, sigma=40).cast("uchar")
    body = noise.write_to_buffer(suffix)
    with pytest.raises(CorruptImage):
        made(body[: len(body) // 2], "w50-webp")


@pytest.mark.parametrize("body", [b"", b"hello", b"<svg/>", b"II*\x00", os.urandom(0)])
def test_what_has_no_known_head_is_no_picture(body: bytes) -> None:
    with pytest.raises(UnsupportedFormat) as refused, opened(body) as fd:
        probe(fd)
    assert not isinstance(refused.value, CorruptImage)


originals = st.builds(
    lambda width, height, orientation, suffix: quadrants(2 * width, 2 * height, orientation, suffix),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 8),
    st.sampled_from([".png", ".jpg"]),
)


@settings(max_examples=150, deadline=None)
@given(originals, recipes(side=96).filter(lambda recipe: recipe.format != "json"))
def test_the_planned_size_is_the_size_that_comes_out(body: bytes, recipe: Recipe) -> None:
    with opened(body) as fd:
        facts = probe(fd)
        try:
            plan = resolve_plan(recipe, facts)
        except LimitExceeded:
            return
        try:
            answer = render(fd, plan)
        except LimitExceeded:
            assert recipe.budget is not None
            return
    assert plan.size == Size(answer.width, answer.height)
    if answer.format in TEXTS:
        return
    pyvips.operation_block_set("VipsForeignLoadTiff", False)
    picture = pyvips.Image.new_from_buffer(answer.body, "")
    assert Size(picture.width, picture.height) == plan.size == Size(answer.width, answer.height)


@settings(max_examples=100, deadline=None)
@given(originals.filter(lambda body: body.startswith(b"\x89PNG")), st.integers(1, 120), st.integers(1, 120))
def test_an_inside_fit_is_as_large_as_libvips_own_thumbnail(body: bytes, width: int, height: int) -> None:
    """NegotiationHeaders of PNG: for JPEG libvips rounds what its decoder has reduced already.

    Where a side falls on a half, floating point may round the other way: then alone one pixel is allowed.
    """
    with opened(body) as fd:
        facts = probe(fd)
    ours = resolve_plan(Recipe(width=width, height=height, fit="inside"), facts).size
    theirs = pyvips.Image.thumbnail_buffer(body, width, height=height, size="down")
    exact = min(Fraction(width, facts.upright.width), Fraction(height, facts.upright.height), Fraction(1))
    for side, other, full in (
        (ours.width, theirs.width, facts.upright.width),
        (ours.height, theirs.height, facts.upright.height),
    ):
        on_a_half = (full * exact).denominator == 2
        assert abs(side - other) <= int(on_a_half)


@pytest.mark.parametrize("effect", ["", "blur2-"])
def test_an_alpha_that_hides_nothing_changes_nothing(effect: str) -> None:
    """Cut instead of rounded, floats would make it half a step darker."""
    ramp = pyvips.Image.xyz(256, 64)[0].bandjoin([pyvips.Image.xyz(256, 64)[1] * 3, 90]).cast("uchar")
    ramp = ramp.copy(interpretation="srgb")
    with opened(ramp.pngsave_buffer()) as plain, opened(ramp.bandjoin(255).pngsave_buffer()) as clear:
        recipe = parse(f"w100-{effect}png")
        opaque, transparent = (decoded(render(fd, resolve_plan(recipe, probe(fd))).body) for fd in (plain, clear))
    difference = transparent[0:3] - opaque
    assert difference.abs().max() <= 1
    assert abs(difference.avg()) < 0.1
