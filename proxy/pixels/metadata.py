"""Metadata that a derivative takes over from its original: the rights, and with `keep` all but the place.

libvips holds EXIF twice, as the block that was read and as one field per entry. A saver rewrites the block: entries
without a field are removed, and a text is only left as it is if its field is what libvips reads from the block (texts
that are set as fields lose all that is not ASCII). So a derivative's block is built whole (`proxy.core.media.exif`),
and libvips reads the fields from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import pyvips

from proxy.core.media.copyright import read_iptc, read_xmp
from proxy.core.media.descriptions import read_created, read_title
from proxy.core.media.exif import build_exif
from proxy.core.media.tiff import read_rights

EXIF, _XMP, _IPTC, _ICC = 1, 2, 4, 8
"""VipsForeignKeep."""
_BLOCKS = ("xmp-data", "iptc-data")
_XMP_PLACES = re.compile(rb"gps|location|city|state|country|coverage|\0", re.IGNORECASE)
"""Names of places with any prefix. A zero byte means another encoding, which is not searched."""
_XMP_RELATED = re.compile(rb"hdrgm:|GainMap|GContainer|Container:Directory")
"""Descriptions of further pictures in the file (gain maps, depth), which the derivative does not contain."""
_IPTC_PLACES = tuple(bytes((0x1C, 2, dataset)) for dataset in (26, 27, 90, 92, 95, 100, 101))
"""Content location, city, sub-location, state, country (IIM 4.2)."""
_ASCII_SUFFIX = re.compile(r", ASCII, [0-9]{1,9} components, [0-9]{1,9} bytes\)$")
_MAX_BLOCK_BYTES = 24_576
"""A larger XMP or IPTC block is left out."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture with the metadata that may be published, and what its saver must write of them."""

    image: pyvips.Image
    kinds: int
    """VipsForeignKeep."""
    rights: Mapping[int, str]
    """Texts by their tag in TIFF and EXIF."""


def prepare(original: pyvips.Image, image: pyvips.Image, *, keep: bool, profile: bool) -> Prepared:
    """Replace the metadata of `image` by those of `original` that may be published.

    Without `keep` these are the rights only. `profile` writes the colour profile of `image`, if it has one.
    """
    rights = rights_of(original)
    has_profile = profile and image.get_typeof("icc-profile-data") != 0
    block = build_exif(_blob(original, "exif-data"), rights, keep=keep, has_profile=has_profile)
    image = _without_metadata(image)
    if block:
        _set_exif(image, block)
    published = {name: _blob(original, name) for name in _BLOCKS if keep and _may_publish(name, _blob(original, name))}
    for name, content in published.items():
        image.set_type(pyvips.GValue.blob_type, name, content)
    kinds = {EXIF: bool(block), _XMP: "xmp-data" in published, _IPTC: "iptc-data" in published, _ICC: has_profile}
    return Prepared(image, sum(kind for kind, present in kinds.items() if present), rights)


def rights_of(image: pyvips.Image) -> dict[int, str]:
    """Return copyright and artist of a loaded picture by tag: of XMP, IPTC and EXIF the last that specifies them."""
    exif = _blob(image, "exif-data").removeprefix(b"Exif\0\0")
    sources = (
        read_xmp(_blob(image, "xmp-data")),
        read_iptc(_blob(image, "iptc-data")),
        read_rights(lambda start, size: exif[start : start + size]),
    )
    texts = {tag: "".join(filter(str.isprintable, text)).strip() for source in sources for tag, text in source.items()}
    return {tag: text for tag, text in texts.items() if text}


def title_and_moment_of(image: pyvips.Image) -> tuple[str, datetime | None]:
    """Return title and moment that XMP and IPTC of a loaded picture specify."""
    xmp, iptc = _blob(image, "xmp-data"), _blob(image, "iptc-data")
    return read_title(xmp, iptc), read_created(xmp, iptc)


def plain_fields(image: pyvips.Image) -> dict[str, str]:
    """Return the EXIF fields of a loaded picture by libvips' names, as they were in the file."""
    names = (name.decode("latin-1") for name in _field_names(image) if name.startswith(b"exif-ifd"))
    return {name: _plain(str(image.get(name))) for name in names}


def _plain(value: str) -> str:
    """Return a field without what libvips appends: "Leica (Leica, ASCII, 6 components, 6 bytes)"."""
    suffix = _ASCII_SUFFIX.search(value)
    doubled = value[: suffix.start()] if suffix else ""
    half = (len(doubled) - len(" (")) // 2
    if doubled and doubled[:half] == doubled[half + len(" (") :]:
        return doubled[:half]
    return value.partition(" (")[0]


def with_rights(image: pyvips.Image, rights: Mapping[int, str]) -> pyvips.Image:
    """Attach rights, as an EXIF block, to a loaded picture of which libvips has not read them."""
    if not rights:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, "exif-data", build_exif(b"", rights, keep=False, has_profile=False))
    return image


def _may_publish(name: str, block: bytes) -> bool:
    if not 0 < len(block) <= _MAX_BLOCK_BYTES:
        return False
    if name == "xmp-data":
        return not _XMP_PLACES.search(block) and not _XMP_RELATED.search(block)
    return not any(place in block for place in _IPTC_PLACES)


def _blob(image: pyvips.Image, name: str) -> bytes:
    return bytes(image.get(name)) if image.get_typeof(name) else b""


def _without_metadata(image: pyvips.Image) -> pyvips.Image:
    image = image.copy()
    for name in _field_names(image):
        if name.startswith((b"exif-", b"jpeg-thumbnail")) or name.decode("latin-1") in _BLOCKS:
            image.remove(name)
    return image


def _set_exif(image: pyvips.Image, block: bytes) -> None:
    """Attach an EXIF block and the fields that libvips reads from it, which is from a JPEG of one pixel around it."""
    segment = b"Exif\0\0" + block
    jpeg = _smallest_jpeg()
    carrier = jpeg[:2] + b"\xff\xe1" + (2 + len(segment)).to_bytes(2, "big") + segment + jpeg[2:]
    read = pyvips.Image.jpegload_buffer(carrier)
    for name in _field_names(read):
        if name.startswith(b"exif-"):
            value = pyvips.GValue()
            pyvips.vips_lib.vips_image_get(read.pointer, name, value.pointer)
            pyvips.vips_lib.vips_image_set(image.pointer, name, value.pointer)


def _field_names(image: pyvips.Image) -> list[bytes]:
    """Return all names as bytes. `Image.get_fields` fails at names that are not UTF-8; PNG's keywords are Latin-1."""
    array = pyvips.vips_lib.vips_image_get_fields(image.pointer)
    names: list[bytes] = []
    while array[len(names)] != pyvips.ffi.NULL:
        pointer = array[len(names)]
        names.append(pyvips.ffi.string(pointer))
        pyvips.glib_lib.g_free(pointer)
    pyvips.glib_lib.g_free(array)
    return names


@cache
def _smallest_jpeg() -> bytes:
    body: bytes = pyvips.Image.black(1, 1).jpegsave_buffer(keep="none")
    return body
