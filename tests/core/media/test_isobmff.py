"""The colour signal of an AVIF: it is read from the properties of the primary item, and never from garbage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.byte_reader import Read
from proxy.core.media.colour_signalling import Signal, from_cicp
from proxy.core.media.isobmff import read_signal


def reader(body: bytes) -> Read:
    return lambda at, size: body[at : at + size]


def box(kind: bytes, *parts: bytes, long: bool = False) -> bytes:
    content = b"".join(parts)
    if long:
        return b"\0\0\0\1" + kind + (16 + len(content)).to_bytes(8, "big") + content
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def full(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, bytes((version,)) + flags.to_bytes(3, "big"), *parts)


def nclx(primaries: int, transfer: int) -> bytes:
    numbers = b"".join(number.to_bytes(2, "big") for number in (primaries, transfer, 6))
    return box(b"colr", b"nclx", numbers, b"\x80")


def avif(item: int = 2, version: int = 0, flags: int = 0, *, long: bool = False) -> bytes:
    """Write three properties, of which item 1 has the first and `item` the second and third, essentially."""
    name, place = (4 if version else 2), (2 if flags else 1)
    essential = 1 << (8 * place - 1)

    def owning(number: int, *places: int) -> bytes:
        indexes = b"".join((essential | index).to_bytes(place, "big") for index in places)
        return number.to_bytes(name, "big") + bytes((len(places),)) + indexes

    entries = owning(1, 1) + owning(item, 2, 3)
    return box(b"ftyp", b"avif") + full(
        b"meta",
        0,
        0,
        full(b"hdlr", 0, 0, bytes(20)),
        full(b"pitm", version, 0, item.to_bytes(name, "big")),
        box(
            b"iprp",
            box(b"ipco", nclx(1, 13), box(b"colr", b"prof", bytes(9)), nclx(9, 16), long=long),
            full(b"ipma", version, flags, (2).to_bytes(4, "big"), entries),
        ),
    ) + box(b"mdat", bytes(8))  # fmt: skip


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("flags", [0, 1])
@pytest.mark.parametrize("long", [False, True])
def test_the_primary_item_s_signal_is_read(version: int, flags: int, long: bool) -> None:
    assert read_signal(reader(avif(2, version, flags, long=long))) == from_cicp(9, 16)
    assert read_signal(reader(avif(7, version, flags, long=long))) == from_cicp(9, 16)
    assert read_signal(reader(avif(2, version, flags, long=long).replace(b"pitm", b"free"))) is None


def test_another_item_s_signal_is_not_the_picture_s() -> None:
    body = avif()
    at = body.index(b"pitm") + 8
    assert read_signal(reader(body[:at] + b"\0\1" + body[at + 2 :])) == from_cicp(1, 13)
    assert read_signal(reader(body[:at] + b"\0\3" + body[at + 2 :])) is None


def test_a_box_is_at_least_as_long_as_its_head() -> None:
    assert read_signal(reader(b"\0\0\0\1meta" + bytes(8))) is None
    assert read_signal(reader(b"\0\0\0\4meta" * 9)) is None


@given(st.binary(max_size=200))
def test_rubbish_has_no_signal(body: bytes) -> None:
    for head in (b"", box(b"ftyp", b"avif") + b"\0\0\0\0meta\0\0\0\0"):
        assert read_signal(reader(head + body)) is None


@given(st.data())
def test_a_cut_or_changed_file_has_at_most_a_signal(data: st.DataObject) -> None:
    body = bytearray(avif(2, data.draw(st.integers(0, 1)), data.draw(st.integers(0, 1))))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body)[: data.draw(st.integers(0, len(body)))]
    assert isinstance(read_signal(reader(cut)), Signal | None)


def test_no_file_is_read_for_long() -> None:
    """Boxes without end, and an item with properties without end."""
    requested = 0

    def endless(_: int, size: int) -> bytes:
        nonlocal requested
        requested += size
        return box(b"free")[:size]

    assert read_signal(endless) is None
    assert requested < 100_000
