"""Title and moment in XMP and IPTC; noise contains none, and is read quickly."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.descriptions import read_created, read_title

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def dataset(number: int, text: str) -> bytes:
    value = text.encode()
    return bytes((0x1C, 2, number)) + len(value).to_bytes(2, "big") + value


def property_of(name: str, text: str) -> bytes:
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></{name}>'.encode()


def test_the_title_of_xmp_counts_before_that_of_iptc() -> None:
    assert read_title(property_of("dc:title", "A &amp; B"), dataset(5, "Chair")) == "A & B"
    assert read_title(b'<rdf:Description dc:title="Sofa"/>', b"") == "Sofa"
    assert read_title(b"", dataset(5, "Stühle")) == "Stühle"
    assert read_title(b"", b"") == ""


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T14:00:00+02:00", NOON),
        ("2026-11-24T12:00", NOON),
        ("2026-11-24T12:00:00.75", NOON),
        ("2026-11-24", NOON.replace(hour=0)),
        ("2026-11", None),
        ("2026-13-24T12:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
    ],
)
def test_moments_of_xmp(text: str, moment: datetime | None) -> None:
    assert read_created(f'<x exif:DateTimeOriginal="{text}"/>'.encode(), b"") == moment
    assert read_created(f"<photoshop:DateCreated>{text}</photoshop:DateCreated>".encode(), b"") == moment


@pytest.mark.parametrize(
    ("date", "time", "moment"),
    [
        ("20261124", "140000+0200", NOON),
        ("20261124", "120000", NOON),
        ("20261124", "noon", NOON.replace(hour=0)),
        ("20261324", "120000", None),
        ("2026", "120000", None),
    ],
)
def test_moments_of_iptc(date: str, time: str, moment: datetime | None) -> None:
    assert read_created(b"", dataset(55, date) + dataset(60, time)) == moment


def test_the_moment_of_xmp_counts_before_that_of_iptc_unless_it_is_none() -> None:
    iptc = dataset(55, "20200101")
    assert read_created(b'<x photoshop:DateCreated="2026-11-24T12:00:00Z"/>', iptc) == NOON
    assert read_created(b'<x exif:DateTimeOriginal="0000"/>', iptc) == datetime(2020, 1, 1, tzinfo=UTC)


PIECES = [b"<dc:title>", b"</dc:title>", b"<rdf:li>", b'photoshop:DateCreated="', b'"', b"2026-11-24T", b"12:00",
          b"\x1c\x02\x05", b"\x1c\x02\x37", b"\x1c\x02\x3c", b"\0\x08", b"20261124", b"\xff"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join) | st.binary(max_size=300))
def test_rubbish_is_read_without_a_fault(block: bytes) -> None:
    assert isinstance(read_title(block, block), str)
    created = read_created(block, block)
    assert created is None or created.tzinfo is UTC
