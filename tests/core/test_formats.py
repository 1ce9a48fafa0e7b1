"""Magic bytes tell the format; names are never believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.formats import AVIF, FORMATS, GIF, JPEG, PNG, WEBP, sniff


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", JPEG),
        (b"\x89PNG\r\n\x1a\n\x00", PNG),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", WEBP),
        (b"GIF87a", GIF),
        (b"GIF89a", GIF),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1miaf", AVIF),
        (b"\x00\x00\x00\x1cftypavis\x00\x00\x00\x00msf1avis", AVIF),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", AVIF),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", None),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", None),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isomavc1", None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"\xff\xd8", None),
        (b"<svg xmlns", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_the_head_tells_the_format(head: bytes, found: object) -> None:
    assert sniff(head) is found


@given(st.binary(max_size=128))
def test_any_head_is_one_format_or_none(head: bytes) -> None:
    assert sniff(head) in (None, *FORMATS.values())
