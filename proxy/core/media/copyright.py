"""Whose a picture is, where only IPTC or XMP say so: texts by the tag that EXIF and TIFF have for them.

IPTC (IIM 4.2): datasets of record 2, each a marker, its number and its length. XMP (ISO 16684-1): Dublin Core's
`rights` and `creator`, lists of texts, or one text as an attribute.
"""

import re
from html import unescape

from proxy.core.media.tiff import ARTIST, COPYRIGHT, decoded

_DATASETS = {COPYRIGHT: 116, ARTIST: 80}
_PROPERTIES = {COPYRIGHT: b"dc:rights", ARTIST: b"dc:creator"}
_ITEM = re.compile(rb"<rdf:li[^>]{0,200}>([^<]{1,2000})")
_PLAIN = re.compile(rb"^<[^>]{1,200}>([^<]{1,2000})$")
_ATTRIBUTES = {name: re.compile(name + rb"""=(["'])([^"'<]{1,2000})\1""") for name in _PROPERTIES.values()}
_LONGEST = 2_000
"""Bytes of a text; of an XMP property four times as many, with what is around it."""


def read_iptc(block: bytes) -> dict[int, str]:
    """Give the texts of Copyright Notice and By-line, of several the first."""
    found = {tag: _dataset(block, number) for tag, number in _DATASETS.items()}
    return {tag: text for tag, text in found.items() if text}


def read_xmp(packet: bytes) -> dict[int, str]:
    """Give the texts of `dc:rights`, of several languages the first, and `dc:creator`, of several all."""
    found = {tag: _property(packet, name) for tag, name in _PROPERTIES.items()}
    return {tag: "; ".join(texts if tag == ARTIST else texts[:1]) for tag, texts in found.items() if texts}


def _dataset(block: bytes, number: int) -> str:
    at = block.find(bytes((0x1C, 2, number)))
    if at < 0:
        return ""
    length = int.from_bytes(block[at + 3 : at + 5], "big")
    return decoded(block[at + 5 : at + 5 + min(length, _LONGEST)])


def _property(packet: bytes, name: bytes) -> list[str]:
    start = packet.find(b"<" + name)
    if start >= 0:
        end = packet.find(b"</" + name, start, start + 4 * _LONGEST)
        inner = packet[start : max(start, end)]
        texts = _ITEM.findall(inner) or _PLAIN.findall(inner)
    else:
        texts = [one[1] for one in _ATTRIBUTES[name].findall(packet)[:1]]
    told = (unescape(decoded(text)) for text in texts)
    return [text for text in told if text]
