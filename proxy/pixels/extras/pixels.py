"""Decoded bytes as a libvips picture, with what its file says beside its pixels."""

import pyvips

_BANDS = {1: "b-w", 2: "b-w", 3: "srgb", 4: "srgb"}


def picture(data: bytes | memoryview, width: int, height: int, stride: int, bands: int) -> pyvips.Image:
    """Give rows of `stride` bytes as a picture of `width` columns, 8 bits a band."""
    if len(data) < stride * height or stride < width * bands:
        raise ValueError("fewer pixels than the header says")
    if stride % bands:
        rows = pyvips.Image.new_from_memory(data, stride, height, 1, "uchar").crop(0, 0, width * bands, height)
        data, stride = bytes(rows.write_to_memory()), width * bands
    image = pyvips.Image.new_from_memory(data, stride // bands, height, bands, "uchar")
    image = image.copy(interpretation=_BANDS[bands])
    return image if image.width == width else image.crop(0, 0, width, height)


def dressed(image: pyvips.Image, icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> pyvips.Image:
    """Attach profile and metadata as libvips' own loaders do; the orientation was applied already and is left out."""
    image = image.copy()
    if icc:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    if xmp:
        image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    told = _exif_fields(exif) if exif else {}
    for name, text in told.items():
        image.set_type(pyvips.GValue.gstr_type, name, text)
    return image


def exif_block(image: pyvips.Image) -> bytes:
    """Give the EXIF fields of a picture as a block, from its TIFF header on, as libvips would write it."""
    carrier = pyvips.Image.black(1, 1).copy()
    for name in image.get_fields():
        if name.startswith("exif-ifd"):
            carrier.set_type(pyvips.GValue.gstr_type, name, image.get(name))
    read = pyvips.Image.new_from_buffer(carrier.jpegsave_buffer(keep="exif"), "")
    return bytes(read.get("exif-data")).removeprefix(b"Exif\0\0")


def _exif_fields(exif: bytes) -> dict[str, str]:
    """Let libvips read an EXIF block, by the shortest way to its reader: a JPEG of one pixel around it."""
    carrier = pyvips.Image.black(1, 1).copy()
    carrier.set_type(pyvips.GValue.blob_type, "exif-data", exif if exif.startswith(b"Exif") else b"Exif\0\0" + exif)
    try:
        read = pyvips.Image.new_from_buffer(carrier.jpegsave_buffer(keep="exif"), "")
    except pyvips.Error:
        return {}
    return {name: read.get(name) for name in read.get_fields() if name.startswith("exif-ifd")}
