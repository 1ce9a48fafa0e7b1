"""Which profiles are sRGB's: littleCMS writes them, and libvips' own of Display P3 is none."""

import struct

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageCms

from proxy.core.media.icc import is_srgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def p3() -> bytes:
    picture = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb").icc_transform("p3", input_profile="srgb")
    return bytes(picture.get("icc-profile-data"))


def curved(curve: bytes) -> bytes:
    """Give sRGB's profile with another curve in all three channels, behind all it has."""
    profile = bytearray(SRGB)
    at = len(profile)
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        entry = 132 + 12 * index
        if profile[entry + 1 : entry + 4] == b"TRC":
            struct.pack_into(">II", profile, entry + 4, at, len(curve))
    return bytes(profile) + curve


def sampled(count: int) -> bytes:
    values = (index / (count - 1) for index in range(count))
    linear = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in values)
    return struct.pack(f">4s4xI{count}H", b"curv", count, *(round(65_535 * y) for y in linear))


def test_srgb_is_known_by_its_numbers() -> None:
    assert is_srgb(SRGB)
    assert is_srgb(SRGB.replace("sRGB".encode("utf-16-be"), "XXXX".encode("utf-16-be")))
    assert is_srgb(curved(sampled(1_024)))


def test_a_profile_that_only_speaks_of_srgb_is_another() -> None:
    assert not is_srgb(p3())
    assert not is_srgb(p3() + b"based on the sRGB profile")


@pytest.mark.parametrize(
    "curve",
    [
        struct.pack(">4s4xI", b"curv", 0),
        struct.pack(">4s4xIH", b"curv", 1, round(1.8 * 256)),
        struct.pack(">4s4xIH", b"curv", 1, round(2.2 * 256)),
        struct.pack(">4s4xHxxi", b"para", 0, 65_536),
        struct.pack(">4s4xI", b"none", 0),
    ],
)
def test_another_curve_is_not_srgb_s(curve: bytes) -> None:
    assert not is_srgb(curved(curve))


@given(st.data())
def test_a_cut_or_changed_profile_is_judged_without_a_fault(data: st.DataObject) -> None:
    profile = bytearray(SRGB)
    for _ in range(data.draw(st.integers(0, 12))):
        profile[data.draw(st.integers(0, len(profile) - 1))] = data.draw(st.integers(0, 255))
    assert is_srgb(bytes(profile[: data.draw(st.integers(0, len(profile)))])) in (True, False)


@given(st.binary(max_size=400))
def test_rubbish_is_not_srgb(rubbish: bytes) -> None:
    assert not is_srgb(rubbish)
