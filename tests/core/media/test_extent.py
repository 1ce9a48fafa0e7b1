"""Where images end: nothing of them is cut, everything behind them is found, and no bytes take long."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from proxy.core.media.byte_reader import Read
from proxy.core.media.extent import Truncated, find_end
from proxy.core.media.formats import AVIF, GIF, JPEG, PDF, PNG, WEBP, Format

FORMATS = [JPEG, PNG, GIF, WEBP, AVIF]


def reader(body: bytes) -> Read:
    return lambda at, size: body[at : at + size]


def made(image_format: Format, side: int = 64, **options: object) -> bytes:
    image = Image.effect_noise((side, side), 60).convert("RGB")
    out = BytesIO()
    image.save(out, image_format.name.upper(), **options)
    return out.getvalue()


def end_of(body: bytes, image_format: Format) -> int | None:
    return find_end(reader(body), len(body), image_format)


@pytest.mark.parametrize("image_format", FORMATS, ids=lambda known: known.name)
def test_an_image_ends_where_its_file_does_and_what_follows_is_found(image_format: Format) -> None:
    body = made(image_format)
    assert end_of(body, image_format) == len(body)
    for trailing in (b"\0", b"<?php system($_GET['c']); ?>", b"PK\x03\x04" + b"x" * 1_000, b"\xff\xd9"):
        assert end_of(body + trailing, image_format) == len(body)


@pytest.mark.parametrize("image_format", [JPEG, PNG, GIF, WEBP], ids=lambda known: known.name)
def test_a_file_that_ends_early_is_truncated(image_format: Format) -> None:
    body = made(image_format)
    for length in (len(body) - 1, len(body) // 2, 40):
        with pytest.raises(Truncated):
            end_of(body[:length], image_format)


def test_progressive_jpegs_restart_markers_and_large_data_are_walked() -> None:
    for options in ({"progressive": True}, {"quality": 100}, {"restart_marker_blocks": 1}):
        body = made(JPEG, 700, **options)
        assert end_of(body + b"tail", JPEG) == len(body)


def test_animations_end_behind_their_last_frame() -> None:
    frames = [Image.effect_noise((40, 40), 60).convert("P") for _ in range(5)]
    out = BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], loop=0)
    body = out.getvalue()
    assert end_of(body + b"tail", GIF) == len(body)
    with pytest.raises(Truncated):
        end_of(body[: len(body) * 3 // 4], GIF)


def test_other_formats_have_no_known_end() -> None:
    assert end_of(b"%PDF-1.7", PDF) is None


@given(st.sampled_from(FORMATS), st.binary(max_size=400))
def test_any_bytes_have_an_end_or_none(image_format: Format, rest: bytes) -> None:
    heads = {
        "jpeg": b"\xff\xd8\xff",
        "png": b"\x89PNG\r\n\x1a\n",
        "gif": b"GIF89a",
        "webp": b"RIFF",
        "avif": b"\0\0\0\x10ftypavif",
    }
    body = heads[image_format.name] + rest
    try:
        end = end_of(body, image_format)
    except Truncated:
        return
    assert end is not None
    assert 0 <= end <= len(body)


@pytest.mark.parametrize("filler", [b"\xff\xff", b"\xff\x00", b"\xff\xd0", b"\0"])
def test_hostile_jpegs_are_walked_in_steps_that_grow_with_their_length(filler: bytes) -> None:
    """Reads are counted: one for a piece, or one for a marker."""
    body = b"\xff\xd8\xff\xda\x00\x02" + filler * 300_000
    reads = 0

    def read(at: int, size: int) -> bytes:
        nonlocal reads
        reads += 1
        return body[at : at + size]

    with pytest.raises(Truncated):
        find_end(read, len(body), JPEG)
    assert reads <= 2_000_001
