"""What a derivative tells of its original: who has the right to it, and all but the place where `keep` asks for it.

libvips holds EXIF twice, as the block that was read and as fields; a saver writes the block with what the fields say,
so a field that is removed here is not in the file.
"""

from typing import Any

import pyvips

_NOTHING, _EXIF, _XMP, _IPTC = 0, 1, 2, 4
"""VipsForeignKeep."""
_RIGHTS = ("exif-ifd0-Copyright", "exif-ifd0-Artist")
_BLOCKS = ("exif-data", "xmp-data", "iptc-data")
_PLACES = ("exif-ifd3-", "exif-ifd2-MakerNote", "exif-ifd1-", "jpeg-thumbnail-data", "exif-ifd0-Orientation")
"""GPS; what makers hide; the thumbnail, which is of another picture now; the orientation, which was applied."""
_XMP_PLACES = (b"GPS", b"Location", b"photoshop:City")


def carry(source: pyvips.Image, image: pyvips.Image, *, everything: bool) -> tuple[pyvips.Image, int]:
    """Give `image` with the metadata of `source` that may leave, and which kinds a saver is to write."""
    told = {name: source.get(name) for name in source.get_fields() if name.startswith("exif-") or name in _BLOCKS}
    kept = {name: value for name, value in told.items() if (_may_leave(name, value) if everything else name in _RIGHTS)}
    kept = {name: value for name, value in kept.items() if not _is_empty(value)}
    image = image.copy()
    for name in image.get_fields():
        if name.startswith(("exif-", "jpeg-thumbnail")) or name in _BLOCKS:
            image.remove(name)
    for name, value in kept.items():
        image.set_type(source.get_typeof(name), name, value)
    exif = any(name.startswith("exif-") for name in kept)
    return image, (_EXIF if exif else _NOTHING) | (_XMP * ("xmp-data" in kept)) | (_IPTC * ("iptc-data" in kept))


def _may_leave(name: str, value: Any) -> bool:  # noqa: ANN401 - text or bytes
    if name.startswith(_PLACES):
        return False
    return name != "xmp-data" or not any(place in bytes(value) for place in _XMP_PLACES)


def _is_empty(value: Any) -> bool:  # noqa: ANN401 - text or bytes
    """Tell whether a field says nothing; a text is followed by how libexif would show it."""
    return isinstance(value, str) and not value.partition(" (")[0].strip()
