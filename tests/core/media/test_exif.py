"""EXIF blocks of derivatives; Pillow writes the originals' blocks, and reads what is built."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags
from PIL.Image import Exif
from PIL.TiffImagePlugin import IFDRational

from proxy.core.media.exif import build_exif
from proxy.core.media.tiff import ARTIST, COPYRIGHT

Base, Ifd = ExifTags.Base, ExifTags.IFD
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=99).map(str.strip).filter(bool)


def original(image: Mapping[int, object], photo: Mapping[Any, object] | None = None, *, big_endian: bool) -> bytes:
    """Write a block with Pillow."""
    exif = Exif()
    exif.endian = ">" if big_endian else "<"
    exif.update(image)
    exif.get_ifd(Ifd.Exif).update(photo or {})
    exif.get_ifd(Ifd.GPSInfo).update({1: "N", 2: (47.0, 22.0, 0.0)})
    return exif.tobytes()


def read(block: bytes) -> Exif:
    exif = Exif()
    exif.load(b"Exif\0\0" + block)
    return exif


def text(value: object) -> str:
    """Decode what Pillow reads, which takes each byte for a character."""
    return str(value).encode("latin-1").decode()


@given(rights=st.dictionaries(st.sampled_from([ARTIST, COPYRIGHT]), texts))
def test_rights_are_written_in_utf_8(rights: dict[int, str]) -> None:
    block = build_exif(b"", rights, keep=False, has_profile=False)
    assert bool(block) == bool(rights)
    exif = read(block) if block else Exif()
    assert {tag: text(exif[tag]) for tag in (ARTIST, COPYRIGHT) if tag in exif} == rights


@pytest.mark.parametrize("has_profile", [True, False])
def test_the_colour_space_is_the_derivative_s(has_profile: bool) -> None:
    block = original({COPYRIGHT: "Ann"}, {Base.ColorSpace: 2}, big_endian=False)
    for keep in (True, False):
        exif = read(build_exif(block, {COPYRIGHT: "Ann"}, keep=keep, has_profile=has_profile))
        assert exif.get_ifd(Ifd.Exif)[Base.ColorSpace] == (65535 if has_profile else 1)


@pytest.mark.parametrize("big_endian", [True, False])
def test_public_fields_are_copied_and_all_others_are_not(big_endian: bool) -> None:
    """GPS, maker notes, orientation and what is unknown stay behind."""
    image = {Base.Make: "Kamera", Base.Orientation: 6, 0xC6F3: "private", 0xFDE8: "private"}
    photo = {
        Base.ExposureTime: IFDRational(1, 125),
        Base.ISOSpeedRatings: 400,
        Base.LensModel: "Optik",
        Base.MakerNote: b"secret",
        0xFDE9: "serial",
    }
    block = original(image, photo, big_endian=big_endian)
    exif = read(build_exif(block, {ARTIST: "Zoë"}, keep=True, has_profile=False))
    assert {tag: exif[tag] for tag in exif if tag != Ifd.Exif} == {Base.Make: "Kamera", ARTIST: "ZoÃ«"}
    kept = exif.get_ifd(Ifd.Exif)
    assert {tag: kept[tag] for tag in kept if tag != Base.ColorSpace} == {
        Base.ExposureTime: IFDRational(1, 125),
        Base.ISOSpeedRatings: 400,
        Base.LensModel: "Optik",
    }
    assert not exif.get_ifd(Ifd.GPSInfo)


def test_without_keep_only_the_rights_are_written() -> None:
    block = original({Base.Make: "Kamera", COPYRIGHT: "old"}, {Base.LensModel: "Optik"}, big_endian=False)
    exif = read(build_exif(block, {COPYRIGHT: "new"}, keep=False, has_profile=False))
    assert (exif[COPYRIGHT], Base.Make in exif, len(exif.get_ifd(Ifd.Exif))) == ("new", False, 1)


def test_texts_are_cleaned_and_a_large_block_is_reduced_to_the_rights() -> None:
    block = original({Base.Make: "\x1b[31mred\n", Base.Model: "\1\2"}, big_endian=False)
    exif = read(build_exif(block, {}, keep=True, has_profile=False))
    assert (exif[Base.Make], Base.Model in exif) == ("[31mred", False)
    tags = [*range(0x9C9B, 0x9CA0), Base.Make, Base.Model, Base.Software, Base.DocumentName, Base.ImageDescription]
    large = original(dict.fromkeys(tags, "x" * 1_900), big_endian=False)
    assert set(read(build_exif(large, {ARTIST: "A"}, keep=True, has_profile=False))) == {ARTIST, Ifd.Exif}


@given(st.binary(max_size=200), st.sampled_from([b"", b"Exif\0\0", b"II\x2a\0", b"MM\0\x2b\0\x08\0\0"]))
def test_rubbish_has_no_fields(noise: bytes, head: bytes) -> None:
    build_exif(head + noise, {}, keep=True, has_profile=False)


@given(st.data())
def test_a_cut_or_changed_block_leads_to_a_valid_one(data: st.DataObject) -> None:
    block = bytearray(original({Base.Make: "Kamera"}, {Base.LensModel: "Optik"}, big_endian=False))
    for _ in range(data.draw(st.integers(1, 8))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(block)[: data.draw(st.integers(0, len(block)))]
    exif = read(build_exif(cut, {ARTIST: "Ann"}, keep=True, has_profile=False))
    assert exif[ARTIST] == "Ann"
