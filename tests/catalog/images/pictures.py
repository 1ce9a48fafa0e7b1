"""Files that tests upload."""

import pyvips

FRAGMENT = b"<?php echo 1;"


def picture(level: int = 100, width: int = 40, height: int = 30, suffix: str = ".jpg", orientation: int = 1) -> bytes:
    """Return an image of one colour; another level makes other bytes."""
    black, colour = pyvips.Image.black(width, height, bands=3), [level, 80, 40]
    image = (black + colour).cast("uchar").copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return bytes(image.write_to_buffer(suffix))


def described(text: str) -> bytes:
    """Return a JPEG with a description in its EXIF block."""
    image = (pyvips.Image.black(40, 30, bands=3) + 70).cast("uchar").copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-ImageDescription", text)
    return bytes(image.write_to_buffer(".jpg"))


def located() -> bytes:
    """Return a JPEG that says where and by which camera it was taken."""
    image = (pyvips.Image.black(40, 30, bands=3) + 90).cast("uchar").copy(interpretation="srgb")
    fields = {
        "exif-ifd0-Model": "Leica M11",
        "exif-ifd2-DateTimeOriginal": "2026:11:24 12:00:00",
        "exif-ifd3-GPSLatitude": "48/1 8/1 0/1",
        "exif-ifd3-GPSLatitudeRef": "N",
        "exif-ifd3-GPSLongitude": "11/1 34/1 0/1",
        "exif-ifd3-GPSLongitudeRef": "E",
    }
    for name, value in fields.items():
        image.set_type(pyvips.GValue.gstr_type, name, value)
    return bytes(image.write_to_buffer(".jpg"))
