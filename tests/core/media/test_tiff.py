"""Rights in TIFF files; Pillow writes the files that are read, and reads those that are written."""

from io import BytesIO
from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from proxy.core.media.byte_reader import Read
from proxy.core.media.tiff import ARTIST, COPYRIGHT, add_rights, read_rights
from proxy.pixels import source

texts = st.text(
    st.characters(codec="ascii", exclude_characters="\0", exclude_categories=["Cc"]), min_size=1, max_size=99
)


def tiff(rights: dict[int, str], order: bytes = b"II", *, big: bool = False) -> bytes:
    """Write a TIFF of three by two pixels with Pillow."""
    out = BytesIO()
    directory = ImageFileDirectory_v2(b"II\x2a\0\0\0\0\0" if order == b"II" else b"MM\0\x2a\0\0\0\0")
    for tag, text in rights.items():
        directory[tag] = text
    picture = Image.new("I;16B" if order == b"MM" else "RGB", (3, 2))
    picture.save(out, "TIFF", tiffinfo=directory, big_tiff=big)
    return out.getvalue()


def reader(body: bytes) -> Read:
    return lambda at, size: body[at : at + size]


@pytest.mark.parametrize(("order", "big"), [(b"II", False), (b"MM", False), (b"II", True)])
@pytest.mark.parametrize("rights", [{}, {COPYRIGHT: "(c) Anna"}, {COPYRIGHT: "abc", ARTIST: "A" * 99}, {ARTIST: "A"}])
def test_what_another_wrote_is_read(order: bytes, big: bool, rights: dict[int, str]) -> None:
    body = tiff(rights, order, big=big)
    assert body[:2] == order
    assert read_rights(reader(body)) == rights


@pytest.mark.parametrize("order", [b"II", b"MM"])
@given(rights=st.dictionaries(st.sampled_from([ARTIST, COPYRIGHT]), texts))
def test_what_is_written_another_reads(order: bytes, rights: dict[int, str]) -> None:
    plain = tiff({}, order)
    body = add_rights(plain, rights)
    with Image.open(BytesIO(body)) as picture, Image.open(BytesIO(plain)) as before:
        assert picture.tobytes() == before.tobytes()
        fields = picture.getexif()
        assert {tag: fields[tag] for tag in (ARTIST, COPYRIGHT) if tag in fields} == rights
        assert set(fields) - set(rights) == set(before.getexif())
    assert {tag: text.strip() for tag, text in rights.items() if text.strip()} == read_rights(reader(body))


def test_a_right_is_replaced() -> None:
    once = add_rights(tiff({}), {COPYRIGHT: "old", ARTIST: "Anna"})
    assert read_rights(reader(add_rights(once, {COPYRIGHT: "new"}))) == {COPYRIGHT: "new", ARTIST: "Anna"}


@pytest.mark.parametrize(("raw", "text"), [("Jörg".encode(), "Jörg"), ("Jörg".encode("latin-1"), "Jörg")])
def test_letters_beyond_ascii_are_utf_8_or_latin_1(raw: bytes, text: str) -> None:
    body = add_rights(tiff({}), {ARTIST: "?" * len(raw)}).replace(b"?" * len(raw), raw)
    assert read_rights(reader(body)) == {ARTIST: text}


def test_an_offset_that_no_file_has_is_none() -> None:
    body = bytearray(tiff({COPYRIGHT: "(c) Anna Beispiel"}, big=True))
    at = body.index(b"\x98\x82\x02\0")  # the tag 33432 of ASCII
    body[at + 12 : at + 20] = b"\xff" * 8
    with TemporaryFile() as file:
        file.write(body)
        file.flush()
        assert read_rights(source.reader(file.fileno())) == {}


@given(st.binary(max_size=200))
def test_rubbish_has_no_rights(body: bytes) -> None:
    for head in (b"", b"II\x2a\0", b"MM\0\x2b\0\x08\0\0"):
        assert set(read_rights(reader(head + body))) <= {ARTIST, COPYRIGHT}


@given(st.data())
def test_a_cut_or_changed_file_has_at_most_rights(data: st.DataObject) -> None:
    body = bytearray(tiff({COPYRIGHT: "(c) Anna Beispiel"}))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    assert set(read_rights(reader(bytes(body)[: data.draw(st.integers(0, len(body)))]))) <= {ARTIST, COPYRIGHT}
