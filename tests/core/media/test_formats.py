"""Formats are recognised by magic bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.formats import AVIF, FORMATS, GIF, HEIC, JPEG, JXL, PDF, PNG, SVG, TIFF, WEBP, sniff


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", JPEG),
        (b"\x89PNG\r\n\x1a\n\x00", PNG),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", WEBP),
        (b"GIF87a", GIF),
        (b"GIF89a", GIF),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1miaf", AVIF),
        (b"\x00\x00\x00\x1cftypavis\x00\x00\x00\x00msf1avis", AVIF),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", AVIF),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", HEIC),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", HEIC),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isomavc1", None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"\xff\xd8", None),
        (b"<svg xmlns", SVG),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a --><!DOCTYPE svg>\n<svg>', SVG),
        (b"<svgs>", None),
        (b"<html><svg>", None),
        (b"II*\0", TIFF),
        (b"MM\0*", TIFF),
        (b"II+\0", TIFF),
        (b"\xff\x0a", JXL),
        (b"\0\0\0\x0cJXL \r\n\x87\n", JXL),
        (b"%PDF-1.7", PDF),
        (b"", None),
    ],
)
def test_the_head_tells_the_format(head: bytes, expected: object) -> None:
    assert sniff(head) is expected


@given(st.binary(max_size=128))
def test_any_head_is_one_format_or_none(head: bytes) -> None:
    assert sniff(head) in (None, *FORMATS.values())
