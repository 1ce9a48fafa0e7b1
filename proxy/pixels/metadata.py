"""What a derivative tells of its original: who has the right to it, and all but the place where `keep` asks for it.

libvips holds EXIF twice, as the block that was read and as fields. The block is never carried: a saver would write all
of it, the place included. What the fields say is written anew.
"""

import re
from collections.abc import Mapping
from typing import Any

import pyvips

from proxy.core import tiff

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
_LONGEST_RIGHT = 2_000
_LARGEST_BLOCK, _LONGEST_FIELDS = 24_576, 16_384
"""Bytes of XMP, of IPTC, and of all EXIF fields together; what is larger stays behind."""


def carry(source: pyvips.Image, image: pyvips.Image, *, everything: bool, profile: bool) -> tuple[pyvips.Image, int]:
    """Give `image` with the metadata of `source` that may leave, and which kinds a saver is to write.

    `profile` writes the colour profile as well, where the picture has one.
    """
    told = {name: source.get(name) for name in source.get_fields() if name.startswith("exif-ifd") or name in _BLOCKS}
    kept = {name: value for name, value in told.items() if (_may_leave(name, value) if everything else name in _RIGHTS)}
    kept = {name: text for name, value in kept.items() if (text := _plain(value))}
    if sum(len(text) for text in kept.values() if isinstance(text, str)) > _LONGEST_FIELDS:
        kept = {name: text for name, text in kept.items() if name in (*_RIGHTS, *_BLOCKS)}
    image = image.copy()
    for name in image.get_fields():
        if name.startswith(("exif-", "jpeg-thumbnail")) or name in _BLOCKS:
            image.remove(name)
    for name, value in kept.items():
        # a saver takes a tail in brackets for libexif's, and cuts it: give it one
        text = f"{value} (kept)" if isinstance(value, str) and value.endswith(")") else value
        image.set_type(source.get_typeof(name), name, text)
    kinds = {
        EXIF: any(name.startswith("exif-") for name in kept),
        _XMP: "xmp-data" in kept,
        _IPTC: "iptc-data" in kept,
        _ICC: profile and image.get_typeof("icc-profile-data") != 0,
    }
    return image, sum(kind for kind, there in kinds.items() if there)


def rights_of(image: pyvips.Image) -> dict[int, str]:
    """Give what a picture says of who has the right to it: texts by their tag in TIFF."""
    told = {tag: _plain(image.get(name)) for name, tag in _RIGHTS.items() if image.get_typeof(name)}
    return {tag: text for tag, text in told.items() if text}


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
    return text[:_LONGEST_RIGHT].strip()
