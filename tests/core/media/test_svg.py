"""SVG is recognised by its root element, in time that is linear in the bytes, whatever they are."""

from typing import Self, SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.formats import SNIFF_BYTES, SVG, sniff
from proxy.core.media.svg import is_svg

WHITE_SPACE = b" \t\r\n"
ILLUSTRATOR = b"""<?xml version="1.0" encoding="utf-8"?>
<!-- Generator: Adobe Illustrator 27.0.0, SVG Export Plug-In . SVG Version: 6.00 Build 0)  -->
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [
\t<!ENTITY ns_svg "http://www.w3.org/2000/svg">
\t<!ENTITY ns_xlink "http://www.w3.org/1999/xlink">
]>
<svg version="1.1" xmlns="&ns_svg;">"""
HOSTILE = [
    b"<!---->" * 146,
    b"<!---->" * 100 + b"x",
    b"<!--" * 256,
    b"<!-- " + b"-->" * 340,
    b"<!-->" * 204,
    b"<!--->" * 170,
    b"<!DOCTYPE>" * 102,
    b"<!DOCTYPE[]>" * 85,
    b"<!DOCTYPE[" * 102,
    b"<!DOCTYPE" * 113,
    b"<!DOCTYPE " + b"[" * 1_000,
    b"<!DOCTYPE[<!DOCTYPE[<!DOCTYPE[]>]>]>" * 28,
    b"<!DOCTYPE>\n<!---->\t" * 51,
    b"<!----><!DOCTYPE[>]>" * 51,
    b"<?xml" * 204,
    b"<?xml>" * 170,
    b"\xef\xbb\xbf" * 341,
    b" " * 1_024,
    b"<svg" * 256,
]
PIECES = [
    b"\xef\xbb\xbf", b" ", b"\n", b"<?xml", b"?>", b"<!--", b"-", b"-->", b"<!-->", b"<!DOCTYPE", b"svg", b"[", b"]",
    b">", b"]>", b"<!", b"<svg", b"<svg>", b"<svg/", b"'", b"<!ENTITY a 'b'>",
]  # fmt: skip


class Counted(bytes):
    """Bytes that count how many of them are examined."""

    examined: int

    def __new__(cls, value: bytes) -> Self:
        self = super().__new__(cls, value)
        self.examined = 0
        return self

    def __getitem__(self, index: SupportsIndex | slice) -> int | bytes:  # type: ignore[override]
        if isinstance(index, slice):
            raise TypeError("a slice is a copy: the count would end there")
        self.examined += 1
        return super().__getitem__(index)

    def startswith(self, prefix: bytes | tuple[bytes, ...], start: int = 0, end: int | None = None) -> bool:  # type: ignore[override]
        self.examined += sum(map(len, prefix)) if isinstance(prefix, tuple) else len(prefix)
        return super().startswith(prefix, start, end)

    def find(self, sub: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
        position = super().find(sub, start, end)
        stop = min(len(self), end if end is not None else len(self)) if position < 0 else position + len(sub)
        self.examined += max(0, stop - start)
        return position

    def _uncounted(self, *_: object) -> bool:
        raise TypeError("this examines bytes without being counted")

    index = rfind = rindex = count = partition = split = lstrip = strip = removeprefix = _uncounted  # type: ignore[assignment]


def oracle(text: bytes) -> bool:
    """Remove one construct of the prolog after the other, by copying what follows it."""
    text = text.removeprefix(b"\xef\xbb\xbf").lstrip(WHITE_SPACE)
    if text.startswith(b"<?xml"):
        text = text.partition(b">")[2].lstrip(WHITE_SPACE)
    while text.startswith((b"<!--", b"<!DOCTYPE")):
        if text.startswith(b"<!--"):
            text = text[4:].partition(b"-->")[2].lstrip(WHITE_SPACE)
        elif b"[" in text.partition(b">")[0] and b">" in text:
            text = text.partition(b"[")[2].partition(b"]")[2].lstrip(WHITE_SPACE)
            text = text[1:].lstrip(WHITE_SPACE) if text.startswith(b">") else b""
        else:
            text = text.partition(b">")[2].lstrip(WHITE_SPACE)
    return text[:5] in {b"<svg ", b"<svg\t", b"<svg\r", b"<svg\n", b"<svg>", b"<svg/"}


def recognised(head: bytes) -> bool:
    """Return the scanner's answer, and hold it to a number of bytes that grows linearly."""
    counted = Counted(head)
    answer = is_svg(counted)
    assert counted.examined <= 8 * len(head) + 64
    return answer


@pytest.mark.parametrize(
    "head",
    [
        b"<svg>",
        b"<svg/>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        b"<svg\n",
        b"\xef\xbb\xbf<svg>",
        b" \t\r\n<svg>",
        b'\xef\xbb\xbf\n<?xml version="1.0"?>\n<svg>',
        b"<?xml version='1.0' standalone='no'?><!DOCTYPE svg><svg>",
        b"<!-- > ]> <html> --><svg>",
        b"<!----><!-- -- --><svg>",
        b"<!DOCTYPE svg [<!ENTITY a 'b'>] >\n<svg>",
        b"<!DOCTYPE svg []><!-- after --><svg>",
        ILLUSTRATOR,
    ],
)
def test_a_drawing_is_recognised_behind_its_prolog(head: bytes) -> None:
    assert recognised(head)
    assert oracle(head)
    assert sniff(head) is SVG


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"<svg",
        b"<svgs>",
        b"<SVG>",
        b"svg>",
        b"<html><svg>",
        b"x<svg>",
        b"<!--><svg>",
        b"<!-- <svg>",
        b"<!-- a --> b --><svg>",
        b"<!DOCTYPE svg<svg>",
        b"<!DOCTYPE svg [<svg>",
        b"<!DOCTYPE svg [] x><svg>",
        b"<!DOCTYPE svg [<!ENTITY a ']'>]><svg>",
        b"<!DOCTYPE",
        b"<?xml version='1.0'",
        b"<!---->\xef\xbb\xbf<svg>",
    ],
)
def test_other_text_is_not_a_drawing(head: bytes) -> None:
    assert not recognised(head)
    assert not oracle(head)
    assert sniff(head) is None


@pytest.mark.parametrize("head", HOSTILE)
def test_a_hostile_prolog_is_scanned_once(head: bytes) -> None:
    assert not recognised(head)
    assert sniff(head) is None


@pytest.mark.parametrize("repeated", [b"<!---->", b"<!DOCTYPE>", b"<!DOCTYPE[>]>", b"<!-- -->\n", b"\t"])
def test_a_long_prolog_that_ends_in_a_root_is_a_drawing(repeated: bytes) -> None:
    head = repeated * ((SNIFF_BYTES - 5) // len(repeated)) + b"<svg>"
    assert recognised(head)
    assert sniff(head) is SVG


@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_any_mixture_has_the_oracles_answer(pieces: list[bytes]) -> None:
    head = b"".join(pieces)
    assert recognised(head) == oracle(head)


@given(st.binary(max_size=200), st.sampled_from([b"<!--", b"<!DOCTYPE", b"<?xml", b" "]))
def test_any_bytes_have_the_oracles_answer(rest: bytes, prefix: bytes) -> None:
    assert recognised(prefix + rest) == oracle(prefix + rest)
