"""Colour paths, judged by formulas and by another colour engine: profiles, CMYK, depth, Lab, gain maps."""

import struct
from io import BytesIO
from typing import Any

import pytest
import pyvips
from PIL import Image, ImageCms

from proxy.core.planning.planner import PlanContext, resolve_plan
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.grammar import parse
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from tests.pictures import decoded, near, opened, solid

_ADOBE_D50 = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_ADOBE_GAMMA = 563 / 256
_D50_TO_SRGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)
"""Adobe RGB (1998) 4.3.5, and IEC 61966-2-1, both adapted to D50 by Bradford's method."""
WIDE = RenderingOptions(wide_gamut=True)
_EXACT: dict[str, dict[str, Any]] = {".jpg": {"Q": 98, "subsample_mode": "off"}, ".webp": {"lossless": True}}
PATCHES = [(200, 100, 50), (30, 160, 60), (128, 128, 128), (250, 250, 250), (12, 30, 90), (255, 0, 0), (0, 255, 0)]
_P3_TO_SRGB = ((1.2249402, -0.2249402, 0.0), (-0.0420570, 1.0420570, 0.0), (-0.0196376, -0.0786361, 1.0982736))
"""SMPTE EG 432-1 and IEC 61966-2-1 primaries, both D65, both with sRGB's curve."""


def made(body: bytes, recipe: str, rendering: RenderingOptions | None = None, client: str = "base") -> bytes:
    with opened(body) as fd:
        terms = PlanContext(rendering=rendering or RenderingOptions(), client=client)  # type: ignore[arg-type]
        return render(fd, resolve_plan(parse(recipe), probe(fd), terms)).body


def profile(name: str) -> bytes:
    """Return one of libvips' profiles: srgb, p3, cmyk."""
    converted = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb").icc_transform(name)
    return bytes(converted.get("icc-profile-data"))


def tagged(picture: pyvips.Image, icc: bytes, suffix: str = ".png") -> bytes:
    picture = picture.copy()
    picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    options: dict[str, dict[str, Any]] = {
        ".jpg": {"Q": 98, "subsample_mode": "off"},
        ".webp": {"lossless": True},
        ".png": {},
    }
    return bytes(picture.write_to_buffer(suffix, **options[suffix]))


def p3_to_srgb(paint: tuple[int, ...]) -> tuple[int, ...]:
    """Convert by the primaries' matrix; what sRGB lacks is cut off."""
    light = [_linear(part / 255) for part in paint]
    mixed = (sum(weight * part for weight, part in zip(row, light, strict=True)) for row in _P3_TO_SRGB)
    return tuple(round(255 * _curved(min(1.0, max(0.0, channel)))) for channel in mixed)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _curved(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


@pytest.mark.parametrize("paint", PATCHES)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_display_p3_becomes_srgb_by_the_formula(paint: tuple[int, int, int], suffix: str) -> None:
    body = tagged(solid(32, 32, paint), profile("p3"), suffix)
    assert near(decoded(made(body, "w16-png")), 8, 8, p3_to_srgb(paint), 4)


@pytest.mark.parametrize("name", [b"sRGB", "sRGB".encode("utf-16-be")])
def test_a_profile_that_speaks_of_srgb_is_applied_all_the_same(name: bytes) -> None:
    spoken = profile("p3") + (b"based on the profile of " + name).ljust(64)
    body = tagged(solid(32, 32, PATCHES[0]), struct.pack(">I", len(spoken)) + spoken[4:])
    assert near(decoded(made(body, "w16-png")), 8, 8, p3_to_srgb(PATCHES[0]), 4)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("output", ["jpeg", "webp", "avif", "png"])
def test_wide_colours_stay_where_the_tenant_wants_them(output: str, linear: bool) -> None:
    """A red that sRGB has not comes out with the profile that says what it is."""
    body = tagged(solid(64, 64, (250, 40, 20)), profile("p3"))
    wide = made(
        body,
        f"w32-q90-{output}" if output != "png" else "w32-png",
        RenderingOptions(wide_gamut=True, linear_light=linear),
    )
    icc = pyvips.Image.new_from_buffer(wide, "").get("icc-profile-data")
    assert "P3" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(icc)))
    assert near(decoded(wide), 16, 16, (250, 40, 20), 5)
    plain = made(body, f"w32-{output}")
    assert not pyvips.Image.new_from_buffer(plain, "").get_typeof("icc-profile-data")
    assert near(decoded(plain), 16, 16, p3_to_srgb((250, 40, 20)), 7)


def test_wide_colours_are_for_clients_that_heed_profiles() -> None:
    body = tagged(solid(64, 64, (250, 40, 20)), profile("p3"))
    for client, has_profile in (("base", False), ("webp", True), ("avif", True)):
        answer = pyvips.Image.new_from_buffer(made(body, "w32-auto", WIDE, client), "")
        assert bool(answer.get_typeof("icc-profile-data")) is has_profile
    gif = pyvips.Image.new_from_buffer(made(body, "w32-gif", WIDE), "")
    assert near(gif.colourspace("srgb"), 16, 16, p3_to_srgb((250, 40, 20)), 9)


@pytest.mark.parametrize("icc", [None, "srgb"])
def test_what_is_srgb_has_no_profile(icc: str | None) -> None:
    picture = solid(64, 64, (200, 100, 50))
    body = tagged(picture, profile(icc)) if icc else bytes(picture.pngsave_buffer())
    for rendering in (WIDE, RenderingOptions()):
        answer = pyvips.Image.new_from_buffer(made(body, "w32-png", rendering), "")
        assert not answer.get_typeof("icc-profile-data")
        assert near(answer, 16, 16, (200, 100, 50), 1)


def test_a_profile_that_does_not_fit_is_left_out_of_account() -> None:
    body = tagged(solid(32, 32, (200, 100, 50)), profile("cmyk"))
    for rendering in (WIDE, RenderingOptions()):
        assert near(decoded(made(body, "png", rendering)), 8, 8, (200, 100, 50), 1)


@pytest.mark.parametrize("ink", [(0, 0, 0, 0), (0, 200, 200, 0), (200, 0, 0, 0), (0, 0, 0, 255), (30, 90, 10, 60)])
def test_cmyk_with_its_profile_is_what_another_engine_makes_of_it(ink: tuple[int, ...]) -> None:
    """Pillow's LittleCMS, called by itself, is the judge."""
    icc = profile("cmyk")
    image = Image.new("CMYK", (32, 32), ink)
    written = BytesIO()
    image.save(written, "JPEG", quality=98, subsampling=0, icc_profile=icc)
    judged = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert judged
    expected = judged.getpixel((8, 8))
    assert isinstance(expected, tuple)
    assert near(decoded(made(written.getvalue(), "w16-png")), 8, 8, expected, 3)


def test_cmyk_without_a_profile_is_read_as_ink() -> None:
    written = BytesIO()
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(written, "JPEG", quality=98)
    red, green, blue = decoded(made(written.getvalue(), "w16-png"))(8, 8)[:3]
    assert red > 200
    assert max(green, blue) < 70


@pytest.mark.parametrize("value", [0, 1_000, 25_700, 40_000, 65_535])
def test_sixteen_bits_become_eight(value: int) -> None:
    deep = pyvips.Image.black(32, 32, bands=3).linear(1, [value, value // 2, 0]).cast("ushort")
    body = deep.copy(interpretation="rgb16").pngsave_buffer()
    assert near(decoded(made(body, "w16-png")), 8, 8, (round(value / 257), round(value // 2 / 257), 0), 1)


@pytest.mark.parametrize("value", [0, 25_700, 65_535])
def test_sixteen_bits_of_grey_become_eight(value: int) -> None:
    body = pyvips.Image.black(32, 32).linear(1, value).cast("ushort").copy(interpretation="grey16").pngsave_buffer()
    assert near(decoded(made(body, "w16-png")), 8, 8, (round(value / 257),) * 3, 1)


@pytest.mark.parametrize("paint", PATCHES)
def test_adobe_rgb_becomes_srgb_by_the_formula(paint: tuple[int, int, int]) -> None:
    body = tagged(solid(32, 32, paint), adobe_rgb())
    assert near(decoded(made(body, "w16-png")), 8, 8, adobe_to_srgb(paint), 4)


def adobe_rgb() -> bytes:
    """Write a profile of Adobe RGB (1998): three colorants and a gamma (ICC.1 §8.3)."""

    def xyz(*parts: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(part * 65_536)) for part in parts)

    text = b"Adobe RGB (1998)\0"
    curve = b"curv" + struct.pack(">iiHxx", 0, 1, round(_ADOBE_GAMMA * 256))
    tags = {
        b"desc": b"desc" + struct.pack(">ii", 0, len(text)) + text + bytes(79),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(*_ADOBE_D50[0]),
        b"gXYZ": xyz(*_ADOBE_D50[1]),
        b"bXYZ": xyz(*_ADOBE_D50[2]),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = struct.pack(">i", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + struct.pack(">ii", at + len(body), len(value))
        body += value.ljust(-(-len(value) // 4) * 4, b"\0")
    header = struct.pack(
        ">i4si4s4s4s12x4s28xiii48x", at + len(body), b"test", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp",
        *(round(part * 65_536) for part in (0.9642, 1.0, 0.8249)),
    )  # fmt: skip
    return header + table + body


def adobe_to_srgb(paint: tuple[int, ...]) -> tuple[int, ...]:
    """Convert by both spaces' colorants; what sRGB lacks is cut off."""
    light = [(part / 255) ** _ADOBE_GAMMA for part in paint]
    xyz = [sum(part * column[row] for part, column in zip(light, _ADOBE_D50, strict=True)) for row in range(3)]
    mixed = (sum(weight * part for weight, part in zip(row, xyz, strict=True)) for row in _D50_TO_SRGB)
    return tuple(round(255 * _curved(min(1.0, max(0.0, channel)))) for channel in mixed)


def test_a_gain_map_does_no_harm() -> None:
    """UltraHDR: a JPEG with a gain map after its end. Only the first picture is rendered."""
    base, gains = solid(64, 48, (200, 100, 50)), solid(32, 24, (90, 90, 90))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"/>'
    picture = base.copy()
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    body = picture.jpegsave_buffer(Q=95) + gains.jpegsave_buffer(Q=90)
    for recipe in ("jpeg", "w32-jpeg", "w32-webp", "w32-keep-jpeg"):
        answer = made(body, recipe)
        assert near(decoded(answer), 8, 8, (200, 100, 50), 4)
        assert answer.count(b"\xff\xd8\xff") <= 1


@pytest.mark.parametrize("recipe", ["w16-png", "w16-webp", "blur3-png", "sharpen2-png", "w16-linear"])
def test_hidden_colours_do_not_leak(recipe: str) -> None:
    """Half is opaque blue, half is clear and green underneath: no green shows at the edge, however it is scaled."""
    left, right = solid(32, 32, (0, 0, 255, 255)), solid(32, 32, (0, 255, 0, 0))
    rendering = RenderingOptions(linear_light=recipe == "w16-linear")
    recipe = recipe.replace("linear", "png")
    picture = decoded(made(left.join(right, "horizontal").pngsave_buffer(), recipe, rendering))
    flat = picture.flatten(background=0)
    assert flat.extract_band(1).max() <= 3
