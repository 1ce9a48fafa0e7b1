"""Decoded bytes as a libvips picture, with the metadata of its file."""

import pyvips

_BANDS = {1: "b-w", 2: "b-w", 3: "srgb", 4: "srgb"}


def picture(data: bytes | memoryview, width: int, height: int, stride: int, bands: int) -> pyvips.Image:
    """Return rows of `stride` bytes as a picture of `width` columns, with 8 bits per band."""
    if len(data) < stride * height or stride < width * bands:
        raise ValueError("fewer pixels than the header specifies")
    if stride % bands:
        rows = pyvips.Image.new_from_memory(data, stride, height, 1, "uchar").crop(0, 0, width * bands, height)
        data, stride = bytes(rows.write_to_memory()), width * bands
    image = pyvips.Image.new_from_memory(data, stride // bands, height, bands, "uchar")
    image = image.copy(interpretation=_BANDS[bands])
    return image if image.width == width else image.crop(0, 0, width, height)


def with_metadata(image: pyvips.Image, icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> pyvips.Image:
    """Attach profile and metadata like libvips' loaders do, but no orientation: it was applied already."""
    image = image.copy()
    for name, content in (("icc-profile-data", icc), ("exif-data", exif), ("xmp-data", xmp)):
        if content:
            image.set_type(pyvips.GValue.blob_type, name, content)
    return image


def exif_block(image: pyvips.Image) -> bytes:
    """Return the EXIF block of a picture in memory, from its TIFF header on, as libvips writes it into a small JPEG."""
    carrier = image.crop(0, 0, 1, 1).jpegsave_buffer(keep="exif")
    return bytes(pyvips.Image.jpegload_buffer(carrier).get("exif-data")).removeprefix(b"Exif\0\0")
