"""JPEG XL headers: those that libjxl writes are read, and hostile bytes raise nothing but ValueError."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pillow_jxl import Encoder

from proxy.core.media.jxl import Codestream, read_header

CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"


def written(width: int, height: int, mode: str = "RGB", *, container: bool = False, lossless: bool = False) -> bytes:
    """Write a black picture by libjxl."""
    encoder = Encoder(mode=mode, lossless=lossless, quality=80, effort=1, use_container=container, num_threads=0)
    bands = len(mode)
    exif = b"MM\0*\0\0\0\x08" + bytes(6) if container else None
    body = encoder(bytes(width * height * bands), width, height, jpeg_encode=False, exif=exif)
    assert isinstance(body, bytes)
    return body


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 2_000), st.integers(1, 40), st.sampled_from(["L", "LA", "RGB", "RGBA"]), st.booleans())
def test_it_says_what_libjxl_wrote(long: int, short: int, mode: str, container: bool) -> None:
    for width, height in ((long, short), (short, long)):
        body = written(width, height, mode, container=container, lossless=long % 2 == 0)
        assert read_header(body) == Codestream(width, height, alpha="A" in mode)


@pytest.mark.parametrize(("width", "height"), [(8, 8), (256, 256), (16, 24), (640, 480), (192, 108), (512, 256)])
def test_sides_that_have_a_short_form(width: int, height: int) -> None:
    """Multiples of eight, and the ratios that have a number of their own."""
    assert read_header(written(width, height)) == Codestream(width, height, alpha=False)


@given(st.binary(max_size=200))
def test_of_any_bytes_a_header_or_a_value_error(tail: bytes) -> None:
    for body in (tail, b"\xff\x0a" + tail, CONTAINER + tail):
        try:
            header = read_header(body)
        except ValueError:
            continue
        assert header.width >= 1
        assert header.height >= 1


def test_a_codestream_in_pieces_is_put_together() -> None:
    bare = written(300, 200, "RGBA")
    pieces = [bytes(4) + bare[at : at + 3] for at in range(0, 30, 3)] + [bytes(4) + bare[30:]]
    boxes = b"".join((8 + len(piece)).to_bytes(4, "big") + b"jxlp" + piece for piece in pieces)
    assert read_header(CONTAINER + boxes) == Codestream(300, 200, alpha=True)


@pytest.mark.parametrize(
    "boxes", [b"\0\0\0\x01ftyp" + bytes(8), b"\0\0\0\x08free" * 3, b"\0\0\0\x02free", b"\0\0\0\0free", b"\0\0\0"]
)
def test_boxes_that_lead_nowhere_end(boxes: bytes) -> None:
    with pytest.raises(ValueError, match="JPEG XL"):
        read_header(CONTAINER + boxes)
