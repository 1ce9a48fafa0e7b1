"""Details of metadata: read from EXIF fields, and rebuilt from what a worker says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.details import Details, read_details
from proxy.core.media.examination import Examination
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG
from proxy.core.media.quality_score import Quality

FIELDS = {
    "exif-ifd0-Make": "NIKON CORPORATION",
    "exif-ifd0-Model": "NIKON Z 6",
    "exif-ifd2-DateTimeOriginal": "2026:11:24 12:30:00",
    "exif-ifd2-OffsetTimeOriginal": "+02:00",
    "exif-ifd0-ImageDescription": " A chair ",
    "exif-ifd3-GPSLatitude": "52/1 31/1 1200/100",
    "exif-ifd3-GPSLatitudeRef": "N",
    "exif-ifd3-GPSLongitude": "13/1 24/1 36/1",
    "exif-ifd3-GPSLongitudeRef": "W",
}


def test_what_people_look_for_is_read() -> None:
    assert read_details(FIELDS, "© Ada") == Details(
        "2026-11-24T10:30:00+00:00", "NIKON Z 6", "A chair", "© Ada", 52.52, -13.41
    )
    assert read_details({}) == Details()


def test_of_several_titles_and_moments_the_first_counts() -> None:
    xmp = datetime(2020, 1, 1, tzinfo=UTC)
    assert read_details(FIELDS, title="Sofa").title == "Sofa"
    assert read_details(FIELDS, title=" ").title == "A chair"
    assert read_details(FIELDS | {"exif-ifd0-ImageDescription": "OLYMPUS DIGITAL CAMERA"}).title is None
    assert read_details(FIELDS, created=xmp).taken_at == "2026-11-24T10:30:00+00:00"
    scanned = {"exif-ifd2-DateTimeDigitized": "2026:11:24 12:30:00", "exif-ifd2-OffsetTimeDigitized": "-01:00"}
    assert read_details(scanned, created=xmp).taken_at == "2020-01-01T00:00:00+00:00"
    assert read_details(scanned).taken_at == "2026-11-24T13:30:00+00:00"


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS R5", "Canon EOS R5"),
        ("Apple", "iPhone 17", "Apple iPhone 17"),
        ("", "X", "X"),
        ("Leica", "", "Leica"),
    ],
)
def test_the_maker_is_named_once(make: str, model: str, camera: str) -> None:
    assert read_details({"exif-ifd0-Make": make, "exif-ifd0-Model": model}).camera == camera


@pytest.mark.parametrize("text", ["", "0000:00:00 00:00:00", "2026:13:01 00:00:00", "yesterday", "2026:11:24 25:00:00"])
def test_moments_that_do_not_exist_are_left_out(text: str) -> None:
    assert read_details({"exif-ifd2-DateTimeOriginal": text}).taken_at is None


@pytest.mark.parametrize("text", ["", "1/0 2/1 3/1", "1/1 2/1", "91/1 0/1 0/1", "x", "99999999999/1 0/1 0/1"])
def test_places_that_do_not_exist_are_left_out(text: str) -> None:
    details = read_details(FIELDS | {"exif-ifd3-GPSLatitude": text})
    assert (details.latitude, details.longitude) == (None, None)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text(max_size=60)), st.text(), st.text())
def test_any_fields_make_details_that_are_believed(fields: dict[str, str], rights: str, title: str) -> None:
    details = read_details(fields, rights, title)
    assert Details.from_dict(details.to_dict()) == details


QUALITY = {"sharpness": 0.5, "exposure": 1.0, "contrast": 0.25, "resolution": 0.0, "noise": 1.0}
DETAILS = Details(camera="X").to_dict()
WHOLE = Examination(
    Facts(JPEG, 10, 10), Details(camera="X"), "1QcSHQRnh493V4dIh4eXh1h4kJUI", "#a0522d", ("#a0522d",), "c3d1" * 4,
    Quality(0.5, 1.0, 0.25, 0.0, 1.0), 1_234, ("hash",),
)  # fmt: skip


def test_an_examination_is_rebuilt() -> None:
    assert Examination.from_dict(WHOLE.to_dict(), WHOLE.facts) == WHOLE


@pytest.mark.parametrize(
    "lie",
    [
        {"color": "red"},
        {"color": 5},
        {"colors": "#a0522d"},
        {"colors": ["#a0522d"] * 6},
        {"colors": ["x"]},
        {"phash": "C3D1" * 4},
        {"thumbhash": "<b>"},
        {"failed": ["everything"]},
        {"failed": "hash"},
        {"quality": {}},
        {"quality": []},
        {"quality": {**QUALITY, "noise": 2}},
        {"quality": {**QUALITY, "noise": float("nan")}},
        {"quality": {**QUALITY, "noise": True}},
        {"details": []},
        {"details": {**DETAILS, "camera": "a\nb"}},
        {"details": {**DETAILS, "camera": "x" * 256}},
        {"details": {**DETAILS, "latitude": 91}},
        {"details": {**DETAILS, "taken_at": "now"}},
        {"end_bytes": 0},
        {"end_bytes": True},
        {"surprise": 1},
    ],
)
def test_lies_are_not_believed(lie: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError)):
        Examination.from_dict(WHOLE.to_dict() | lie, WHOLE.facts)
