"""Stripping: the same pixels, no metadata; what is damaged gives None and never a crash."""

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.formats import AVIF, GIF, JPEG, PNG, WEBP, Format
from proxy.core.media.stripping import strip
from tests.pictures import counting, quadrants


def sample(suffix: str) -> bytes:
    """Make a picture that tells a secret."""
    picture = pyvips.Image.new_from_buffer(quadrants(), "").copy()
    picture.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Model", "secret camera")
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>secret</x:xmpmeta>")
    return bytes(picture.write_to_buffer(suffix))


PICTURES = {
    JPEG: sample(".jpg"),
    PNG: sample(".png"),
    WEBP: sample(".webp"),
    GIF: counting(4),
}


@pytest.mark.parametrize("source", [JPEG, PNG, WEBP])
def test_metadata_are_gone_and_the_pixels_are_the_same(source: Format) -> None:
    body = PICTURES[source]
    assert b"secret" in body
    stripped = strip(body, source)
    assert stripped is not None
    assert b"secret" not in stripped
    assert b"xmpmeta" not in stripped
    assert len(stripped) < len(body)
    before, after = (pyvips.Image.new_from_buffer(picture, "") for picture in (body, stripped))
    assert (before - after).abs().max() == 0


@pytest.mark.parametrize("prog", [False, True])
def test_every_scan_of_a_progressive_jpeg_stays(prog: bool) -> None:
    body = pyvips.Image.new_from_buffer(quadrants(), "").jpegsave_buffer(interlace=prog, restart_interval=2)
    stripped = strip(body + b"what follows the end", JPEG)
    assert stripped is not None
    assert b"follows" not in stripped
    assert (pyvips.Image.new_from_buffer(stripped, "") - pyvips.Image.new_from_buffer(body, "")).abs().max() == 0


def test_an_animation_keeps_its_timing_and_loop_and_loses_its_comment() -> None:
    body = PICTURES[GIF]
    at = 13 + 3 * 2 ** ((body[10] & 7) + 1) if body[10] & 0x80 else 13
    commented = body[:at] + b"\x21\xfe\x06secret\x00" + body[at:]
    stripped = strip(commented, GIF)
    assert stripped == strip(body, GIF)
    assert stripped is not None
    before, after = (pyvips.Image.new_from_buffer(picture, "", n=-1) for picture in (commented, stripped))
    assert before.get("delay") == after.get("delay")
    assert before.get("loop") == after.get("loop")
    assert (before - after).abs().max() == 0


def test_a_profile_stays() -> None:
    picture = pyvips.Image.new_from_buffer(quadrants(), "").icc_export(output_profile="p3")
    for suffix, source in ((".jpg", JPEG), (".png", PNG), (".webp", WEBP)):
        stripped = strip(picture.write_to_buffer(suffix), source)
        assert stripped is not None
        assert pyvips.Image.new_from_buffer(stripped, "").get_typeof("icc-profile-data")


def test_what_it_does_not_know_is_left_alone() -> None:
    assert strip(b"anything", AVIF) is None


@given(st.sampled_from(sorted(PICTURES, key=lambda known: known.name)), st.data())
def test_damage_never_crashes_and_never_grows(source: Format, data: st.DataObject) -> None:
    body = bytearray(PICTURES[source])
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])
    stripped = strip(cut, source)
    assert stripped is None or len(stripped) <= len(cut)


def test_of_a_jpeg_s_applications_only_colour_stays() -> None:
    """Adobe's segment of colour transforms stays; Photoshop's of the same beginning, and thumbnails, do not."""
    jfif = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    comments = {
        0xE0: jfif[4:16] + b"\1\1rgb",
        0xED: b"Adobe_Photoshop2.5:secret",
        0xE2: b"MPF\0secret",
        0xE1: b"Adobe secret",
    }
    segments = b"".join(
        bytes((0xFF, marker)) + (2 + len(text)).to_bytes(2, "big") + text for marker, text in comments.items()
    )
    preserved = bytes((0xFF, 0xEE, 0, 14)) + b"Adobe" + bytes(7) + bytes((0xFF, 0xE2, 0, 16)) + b"ICC_PROFILE\0\1\1"
    end = bytes((0xFF, 0xDA, 0, 2)) + b"pixels" + b"\xff\xd9"
    assert strip(b"\xff\xd8" + segments + preserved + end + b"more", JPEG) == b"\xff\xd8" + jfif + preserved + end


def test_of_a_webp_s_chunks_only_known_ones_stay() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return kind + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)

    def whole(*chunks: bytes) -> bytes:
        body = b"WEBP" + b"".join(chunks)
        return b"RIFF" + len(body).to_bytes(4, "little") + body

    head, pixels = chunk(b"VP8X", bytes(10)), chunk(b"VP8L", b"pixel")
    frame = chunk(b"ANMF", bytes(16) + chunk(b"ALPH", b"abc") + chunk(b"ABCD", b"secret") + pixels)
    body = whole(head, chunk(b"C2PA", b"secret"), frame, chunk(b"exif", b"secret"), pixels, chunk(b"XMP_", b"secret"))
    clean = chunk(b"ANMF", bytes(16) + chunk(b"ALPH", b"abc") + pixels)
    assert strip(body, WEBP) == whole(head, clean, pixels)
