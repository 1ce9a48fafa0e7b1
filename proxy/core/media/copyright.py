"""Copyright and artist in IPTC and XMP blocks, by the tags that EXIF and TIFF define for them.

IPTC (IIM 4.2) consists of datasets, each with a marker, its number and its length; the two are of record 2. XMP (ISO
16684-1) uses Dublin Core's `rights` and `creator`: lists of texts, or one text as an attribute.
"""

import re
from html import unescape

from proxy.core.media.tiff import ARTIST, COPYRIGHT, MAX_FIELD_BYTES, decode_text

_DATASETS = {COPYRIGHT: 116, ARTIST: 80}
_PROPERTIES = {COPYRIGHT: b"dc:rights", ARTIST: b"dc:creator"}
_ITEM = re.compile(rb"<rdf:li[^>]{0,200}>([^<]{1,2000})")
_PLAIN = re.compile(rb"^<[^>]{1,200}>([^<]{1,2000})$")
_ATTRIBUTE = rb"""=(["'])([^"'<]{1,2000})\1"""
_ATTRIBUTES = {
    name: re.compile(name + _ATTRIBUTE)
    for name in (*_PROPERTIES.values(), b"dc:title", b"exif:DateTimeOriginal", b"photoshop:DateCreated")
}
_MAX_PROPERTY_BYTES = 4 * MAX_FIELD_BYTES
"""A property of XMP contains markup beside its texts."""


def read_iptc(block: bytes) -> dict[int, str]:
    """Return the texts of Copyright Notice and By-line by tag; of several datasets the first."""
    texts = {tag: read_dataset(block, number) for tag, number in _DATASETS.items()}
    return {tag: text for tag, text in texts.items() if text}


def read_xmp(packet: bytes) -> dict[int, str]:
    """Return `dc:rights`, of several languages the first, and `dc:creator`, joined by semicolons, by tag."""
    properties = {tag: read_property(packet, name) for tag, name in _PROPERTIES.items()}
    return {tag: "; ".join(texts if tag == ARTIST else texts[:1]) for tag, texts in properties.items() if texts}


def read_dataset(block: bytes, number: int) -> str:
    """Return the text of an IPTC dataset of record 2; empty if there is none."""
    start = block.find(bytes((0x1C, 2, number)))
    if start < 0:
        return ""
    length = int.from_bytes(block[start + 3 : start + 5], "big")
    return decode_text(block[start + 5 : start + 5 + min(length, MAX_FIELD_BYTES)])


def read_property(packet: bytes, name: bytes) -> list[str]:
    """Return the texts of an XMP property that has an entry in `_ATTRIBUTES`."""
    start = packet.find(b"<" + name)
    if start >= 0:
        end = packet.find(b"</" + name, start, start + _MAX_PROPERTY_BYTES)
        element = packet[start : max(start, end)]
        values = _ITEM.findall(element) or _PLAIN.findall(element)
    else:
        attribute = _ATTRIBUTES[name].search(packet)
        values = [attribute[2]] if attribute else []
    texts = (unescape(decode_text(value)) for value in values)
    return [text for text in texts if text]
