"""The colour signal in a PNG: which chunk wins, and what is none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.byte_reader import Read
from proxy.core.media.colour_signalling import SRGB, Signal, from_cicp
from proxy.core.media.png_chunks import read_signal

CICP, PROFILE, SAID = (b"cICP", bytes((9, 16, 0, 1))), (b"iCCP", b"x\0\0"), (b"sRGB", b"\0")
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.329)


def reader(body: bytes) -> Read:
    return lambda at, size: body[at : at + size]


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Write a PNG without pixels; checksums are nobody's business here."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4, "big") + kind + content + bytes(4)
        for kind, content in ((b"IHDR", bytes(13)), *chunks, (b"IDAT", b""), (b"IEND", b""))
    )


def gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", round(gamma * 100_000).to_bytes(4, "big")


def chrm(primaries: tuple[float, ...]) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(part * 100_000) for part in (*primaries[6:], *primaries[:6])))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((), None),
        ((CICP,), from_cicp(9, 16)),
        ((SAID, PROFILE, gama(1), CICP), from_cicp(9, 16)),
        (((b"cICP", bytes((9, 16, 1, 1))),), None),
        (((b"cICP", bytes((9, 16, 0, 0))),), None),
        (((b"cICP", bytes((2, 2, 0, 1))), gama(1)), Signal(SRGB, "power", 1)),
        (((b"cICP", b"\x09"),), None),
        ((gama(1),), Signal(SRGB, "power", 1)),
        ((gama(1), SAID), None),
        ((PROFILE, gama(1)), None),
        ((gama(0),), None),
        ((gama(0.45455),), Signal()),
        ((gama(0.45),), Signal()),
        ((gama(0.5),), Signal(SRGB, "power", 2)),
        ((chrm(ADOBE),), None),
        ((chrm(ADOBE), gama(0.45455)), Signal(ADOBE, "power", 1 / 0.45455)),
        ((chrm((0.3,) * 8), gama(0.5)), Signal(SRGB, "power", 2)),
        (((b"cHRM", b"short"), gama(0.5)), Signal(SRGB, "power", 2)),
        (((b"IDAT", b""), gama(1)), None),
    ],
)
def test_which_chunk_wins(chunks: tuple[tuple[bytes, bytes], ...], expected: Signal | None) -> None:
    assert read_signal(reader(png(*chunks))) == expected


@given(st.lists(st.tuples(st.sampled_from([b"cICP", b"gAMA", b"cHRM", b"sRGB", b"tEXt"]), st.binary(max_size=40))))
def test_chunks_of_rubbish_make_at_most_a_signal(chunks: list[tuple[bytes, bytes]]) -> None:
    signal = read_signal(reader(png(*chunks)))
    assert signal is None or isinstance(signal.wide, bool)


@given(st.binary(max_size=200))
def test_rubbish_makes_at_most_a_signal(body: bytes) -> None:
    assert isinstance(read_signal(reader(body)), Signal | None)


def test_chunks_without_end_are_not_read_for_long() -> None:
    requested = 0

    def endless(_: int, size: int) -> bytes:
        nonlocal requested
        requested += size
        return b"\0\0\0\0tEXt"[:size]

    assert read_signal(endless) is None
    assert requested < 100_000
