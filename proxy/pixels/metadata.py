"""What a derivative tells of its original: who has the right to it, and all but the place where `keep` asks for it.

libvips holds EXIF twice, as the block that was read and as fields. The block is never carried: a saver would write all
of it, the place included. What the fields say is written anew.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import pyvips

from proxy.core.media import tiff
from proxy.core.media.copyright import read_iptc, read_xmp

EXIF, _XMP, _IPTC, _ICC = 1, 2, 4, 8
"""VipsForeignKeep."""
_RIGHTS = {"exif-ifd0-Copyright": tiff.COPYRIGHT, "exif-ifd0-Artist": tiff.ARTIST}
"""Their tags in TIFF are those of EXIF, which is a TIFF."""
_BLOCKS = ("xmp-data", "iptc-data")
_PLACES = ("exif-ifd3-", "exif-ifd2-MakerNote", "exif-ifd1-", "jpeg-thumbnail-data", "exif-ifd0-Orientation")
"""GPS; what makers hide; the thumbnail, which is of another picture now; the orientation, which was applied."""
_SHOWN = re.compile(r", ASCII, \d+ components, \d+ bytes\)$")
_XMP_PLACES = re.compile(rb"gps|location|city|state|country|coverage|\0", re.IGNORECASE)
"""Whatever the prefix; a zero byte is of another encoding, in which nobody has looked."""
_XMP_OTHERS = re.compile(rb"hdrgm:|GainMap|GContainer|Container:Directory")
"""It tells of pictures behind the picture (gain maps, depth), which are left out: a viewer would look for them."""
_IPTC_PLACES = tuple(bytes((0x1C, 2, dataset)) for dataset in (26, 27, 90, 92, 95, 100, 101))
"""Content location, city, sub-location, state, country (IIM 4.2)."""
_SRGB, _UNCALIBRATED = "1", "65535"
"""EXIF's ColorSpace: libexif says the latter of every picture."""
_EXIF_HEADS = (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08")
_PLACES_OF = "".join(map(chr, (*range(1, 9), *range(14, 32))))
"""Control characters: nothing else in an EXIF block is a row of them."""
_SHORTEST_PLACE = 3
_LONGEST_RIGHT = 2_000
_LARGEST_BLOCK, _LONGEST_FIELDS = 24_576, 16_384
"""Bytes of XMP, of IPTC, and of all EXIF fields together; what is larger stays behind."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A picture with the metadata that may leave, and what its saver is to write of them."""

    image: pyvips.Image
    kinds: int
    """VipsForeignKeep."""
    words: tuple[tuple[bytes, bytes], ...]
    """Texts that libvips would transliterate, each behind what stands in its place until it is written."""
    rights: Mapping[int, str]
    """Texts by their tag in TIFF, which libvips does not write."""


def carry(source: pyvips.Image, image: pyvips.Image, *, everything: bool, profile: bool) -> Carried:
    """Take over of `source` what may leave; `profile` writes the colour profile as well, where there is one."""
    texts, others = _told(source) if everything else ({}, {})
    rights = rights_of(source)
    texts = {name: rights[tag] for name, tag in _RIGHTS.items() if tag in rights} | texts
    image = image.copy()
    for name in image.get_fields():
        if name.startswith(("exif-", "jpeg-thumbnail")) or name in _BLOCKS:
            image.remove(name)
    if texts or any(name.startswith("exif-") for name in others):
        others["exif-ifd2-ColorSpace"] = _UNCALIBRATED if profile and image.get_typeof("icc-profile-data") else _SRGB
    words: list[tuple[bytes, bytes]] = []
    for name, text in texts.items():
        image.set_type(pyvips.GValue.gstr_type, name, _placed(text, words))
    for name, value in others.items():
        image.set_type(pyvips.GValue.blob_type if name in _BLOCKS else pyvips.GValue.gstr_type, name, value)
    kinds = {
        EXIF: "exif-ifd2-ColorSpace" in others,
        _XMP: "xmp-data" in others,
        _IPTC: "iptc-data" in others,
        _ICC: profile and image.get_typeof("icc-profile-data") != 0,
    }
    return Carried(image, sum(kind for kind, there in kinds.items() if there), tuple(words), rights)


def spell_out(body: bytes, words: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Put the texts into a written picture, each as long as what it takes the place of."""
    if not words:
        return body
    start = min((at for head in _EXIF_HEADS if (at := body.find(head)) >= 0), default=-1)
    if start < 0:
        return body
    out = bytearray(body)
    for place, text in words:
        at = out.find(place, start)
        if at >= 0:
            out[at : at + len(text)] = text
    if out[start - 4 : start] == b"eXIf":
        end = start + int.from_bytes(out[start - 8 : start - 4], "big")
        out[end : end + 4] = crc32(out[start - 4 : end]).to_bytes(4, "big")
    return bytes(out)


def _told(source: pyvips.Image) -> tuple[dict[str, str], dict[str, Any]]:
    """Give what may leave beside the rights: texts as they were in the file; numbers and blocks as libvips has them."""
    told = {name: source.get(name) for name in source.get_fields() if name.startswith("exif-ifd") or name in _BLOCKS}
    leaving = {name: value for name, value in told.items() if name not in _RIGHTS and _may_leave(name, value)}
    texts = {name: _plain(value) for name, value in leaving.items() if _is_text(value)}
    others = {name: value for name, value in leaving.items() if not _is_text(value)}
    if sum(len(value) for name, value in leaving.items() if name not in _BLOCKS) > _LONGEST_FIELDS:
        return {}, {name: value for name, value in others.items() if name in _BLOCKS}
    return {name: text for name, text in texts.items() if text}, others


def _placed(text: str, words: list[tuple[bytes, bytes]]) -> str:
    """Give a text as libvips is to have it: as it is, or, where it would be changed, a place of its length in UTF-8.

    A saver transliterates to ASCII, and takes a tail in brackets for libexif's.
    """
    spelled = text.encode()
    if (text.isascii() and not text.endswith(")")) or len(spelled) < _SHORTEST_PLACE or len(words) == len(_PLACES_OF):
        return text
    place = _PLACES_OF[len(words)] * len(spelled)
    words.append((place.encode(), spelled))
    return place


def rights_of(image: pyvips.Image) -> dict[int, str]:
    """Give what a picture says of who has the right to it, in EXIF, IPTC or XMP: texts by their tag in TIFF."""
    blocks = {name: bytes(image.get(name)) for name in (*_BLOCKS, "exif-data") if image.get_typeof(name)}
    exif = blocks.get("exif-data", b"").removeprefix(b"Exif\0\0")
    fields = {tag: _plain(image.get(name)) for name, tag in _RIGHTS.items() if image.get_typeof(name)}
    told = (
        read_xmp(blocks.get("xmp-data", b"")),
        read_iptc(blocks.get("iptc-data", b"")),
        fields,
        tiff.read_rights(lambda at, size: exif[at : at + size]),
    )
    return {tag: clean for one in told for tag, text in one.items() if (clean := _printable(text))}


def plain_fields(image: pyvips.Image) -> dict[str, str]:
    """Return an image's EXIF fields as they were in the file, by libvips' names."""
    names = (name for name in image.get_fields() if name.startswith("exif-ifd"))
    return {name: text for name in names if isinstance(text := _plain(image.get(name)), str)}


def with_rights(image: pyvips.Image, rights: Mapping[int, str]) -> pyvips.Image:
    """Note on a loaded picture who has the right to it, where libvips has not read that itself."""
    image = image.copy()
    for name, tag in _RIGHTS.items():
        if tag in rights:
            image.set_type(pyvips.GValue.gstr_type, name, rights[tag])
    return image


def _may_leave(name: str, value: Any) -> bool:  # noqa: ANN401 - text or bytes
    if name.startswith(_PLACES):
        return False
    if name not in _BLOCKS:
        return True
    block = bytes(value)
    if len(block) > _LARGEST_BLOCK:
        return False
    if name == "xmp-data":
        return not _XMP_PLACES.search(block) and not _XMP_OTHERS.search(block)
    return not any(place in block for place in _IPTC_PLACES)


def _plain(value: Any) -> Any:  # noqa: ANN401 - text or bytes
    """Give a field as it was in the file: libvips lets how libexif would show it follow, with its type and length."""
    if not isinstance(value, str) or not (shown := _SHOWN.search(value)):
        return value
    told = value[: shown.start()]
    half = (len(told) - 2) // 2
    text = told[:half] if told[:half] == told[half + 2 :] else told.partition(" (")[0]
    return _printable(text)[:_LONGEST_RIGHT]


def _is_text(value: Any) -> bool:  # noqa: ANN401 - text or bytes
    return isinstance(value, str) and bool(_SHOWN.search(value))


def _printable(text: str) -> str:
    """Leave out control characters, which stand for other texts until a picture is written."""
    return "".join(one for one in text if one.isprintable()).strip()
