"""The EXIF block of a derivative: built of the rights and, on request, of those fields that may be published.

An EXIF block is a TIFF of two directories: the first describes the image, the second, which the first points to,
describes how it was taken (CIPA DC-008, EXIF 3.0, §4.6). Fields are copied by an allow list, so that positions (GPS),
maker notes, thumbnails, and whatever future versions add stay behind.
"""

from collections.abc import Mapping

from proxy.core.media.tiff import ARTIST, COPYRIGHT, Field, Layout, open_tiff, read_fields, write_directory

_POINTER, _COLOUR_SPACE = 0x8769, 0xA001
_SHORT, _LONG = 3, 4
_SRGB, _UNCALIBRATED = 1, 0xFFFF
_MAX_BYTES = 16_384
"""Of all values; of a block with more only the rights are published."""
_IMAGE_TAGS = {
    *(0x010D, 0x010E),  # document name, image description
    *(0x010F, 0x0110),  # make, model
    *(0x0131, 0x0132),  # software, time of change
    *range(0x9C9B, 0x9CA0),  # title, comment, author, keywords, subject, as Windows writes them
    ARTIST,
    COPYRIGHT,
}
_PHOTO_TAGS = {
    *(0x829A, 0x829D, 0x8822, 0x8824, 0x8827, 0x8828),  # exposure, aperture, programme, sensitivity
    *range(0x8830, 0x8836),  # kinds of sensitivity
    *(0x9000, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012),  # version, times, time zones
    *range(0x9201, 0x920B),  # shutter, aperture, brightness, distance, metering, light, flash, focal length
    *(0x9286, 0x9290, 0x9291, 0x9292),  # comment, fractions of seconds
    *(0xA20B, 0xA20C, 0xA20E, 0xA20F, 0xA210, 0xA215, 0xA217),  # flash energy, sensor
    *(0xA300, 0xA301, 0xA302),  # kind of source and scene, filter pattern
    *range(0xA401, 0xA40D),  # processing, mode, white balance, zoom, contrast, saturation, sharpness, range
    *(0xA420, *range(0xA430, 0xA436), 0xA500),  # image id, owner, body and lens, gamma
}


def build_exif(original: bytes, rights: Mapping[int, str], *, keep: bool, has_profile: bool) -> bytes:
    """Return the EXIF block of a derivative, from its TIFF header on; empty if there is nothing to write.

    `original` is the original's block, or empty. Its fields are copied if `keep` is set. `rights` are texts by tag, and
    replace the original's. `has_profile` tells whether the derivative contains a colour profile.
    """
    layout, image, photo = _read_public(original) if keep else (Layout(), {}, {})
    image |= {tag: Field.from_text(text) for tag, text in rights.items()}
    if not image and not photo:
        return b""
    photo[_COLOUR_SPACE] = Field(_SHORT, 1, layout.pack("H", _UNCALIBRATED if has_profile else _SRGB))
    photo_directory = write_directory(layout, photo, 8)
    image[_POINTER] = Field(_LONG, 1, layout.pack("I", 8))
    start = 8 + len(photo_directory)
    header = {"<": b"II*\0", ">": b"MM\0*"}[layout.order] + layout.pack("I", start)
    return header + photo_directory + write_directory(layout, image, start)


def _read_public(original: bytes) -> tuple[Layout, dict[int, Field], dict[int, Field]]:
    """Return layout, and the fields of both directories that may be published; none if the block is malformed."""

    def read(start: int, size: int) -> bytes:
        return block[start : start + size]

    block = original.removeprefix(b"Exif\0\0")
    try:
        layout, start = open_tiff(read)
    except ValueError:
        return Layout(), {}, {}
    if layout.width != 4:  # noqa: PLR2004 - bytes of an offset: BigTIFF is not EXIF
        return Layout(), {}, {}
    image = read_fields(read, layout, start, {*_IMAGE_TAGS, _POINTER})
    pointer = image.pop(_POINTER, None)
    photo: dict[int, Field] = {}
    if pointer is not None and pointer[:2] == (_LONG, 1):
        photo = read_fields(read, layout, layout.unpack("I", pointer.value), _PHOTO_TAGS)
    if sum(len(field.value) for field in (*image.values(), *photo.values())) > _MAX_BYTES:
        return Layout(), {}, {}
    return layout, _clean(image), _clean(photo)


def _clean(fields: dict[int, Field]) -> dict[int, Field]:
    """Return texts as printable UTF-8 without those that are empty then, and all other fields as they are."""
    texts = {tag: text for tag, field in fields.items() if (text := field.text()) is not None}
    others = {tag: field for tag, field in fields.items() if tag not in texts}
    printable = {tag: "".join(filter(str.isprintable, text)).strip() for tag, text in texts.items()}
    return others | {tag: Field.from_text(text) for tag, text in printable.items() if text}
