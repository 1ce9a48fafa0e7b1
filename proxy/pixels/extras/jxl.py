"""JPEG XL, by pillow-jxl-plugin: libjxl. It decodes when it opens, so the size is read by our own reader before."""

import pyvips
from pillow_jxl import Decoder, Encoder

from proxy.core.media.facts import Facts
from proxy.core.media.formats import JXL
from proxy.core.media.jxl import read_header
from proxy.pixels.extras.pixels import exif_block, picture, with_metadata

DISTRIBUTION = "pillow-jxl-plugin"
_BANDS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_MAX_LOSSY_QUALITY = 99
"""The library takes 100 for lossless."""
_MODES = {bands: mode for mode, bands in _BANDS.items()}


def facts(body: bytes, _: int) -> Facts:
    """Read the header of the codestream; the first frame of an animation is the picture."""
    header = read_header(body)
    return Facts(JXL, header.width, header.height, alpha=header.alpha)


def load(body: bytes, _: int, __: float) -> pyvips.Image:
    """Decode, upright. A recompressed JPEG is restored to the JPEG that it was."""
    is_jpeg, info, data, icc, boxes = Decoder(num_threads=0)(body)
    if is_jpeg:
        return pyvips.Image.jpegload_buffer(data, fail_on="truncated").autorot().copy_memory()
    if info.mode in ("I;16", "F", "F;16"):
        return with_metadata(_to_16_bits(data, info.width, info.height, info.mode), icc, None, None)
    bands = _BANDS[info.mode]
    exif = next((box.data for box in boxes if box.box_type == b"Exif"), None)
    image = picture(data, info.width, info.height, info.width * bands, bands).copy_memory()
    return with_metadata(image, icc, exif and _skip_offset(exif), None)


def encode(image: pyvips.Image, quality: int | None, effort: int, *, with_exif: bool = False) -> bytes:
    """Encode sRGB or grey of 8 bits; a quality of None means lossless."""
    encoder = Encoder(
        mode=_MODES[image.bands],
        lossless=quality is None,
        quality=_MAX_LOSSY_QUALITY if quality is None else min(_MAX_LOSSY_QUALITY, quality),
        effort=effort,
        num_threads=0,
        decoding_speed=0,
        use_container=with_exif,
        use_original_profile=False,
    )
    image = image.copy_memory()  # it is read twice
    exif = bytes(4) + exif_block(image) if with_exif else None
    metadata = {"exif": exif, "jumb": None, "xmp": None, "compress": False}
    body: bytes = encoder(bytes(image.write_to_memory()), image.width, image.height, jpeg_encode=False, **metadata)
    return body


def warm_up() -> None:
    """Encode and decode a small picture."""
    load(encode(pyvips.Image.black(64, 64, bands=3), 80, 3), 0, 1.0)


def _skip_offset(exif: bytes) -> bytes:
    """Return EXIF from its TIFF header: four bytes specify its offset, but some writers omit them."""
    return exif[4:] if exif[4:8] in (b"II*\0", b"MM\0*") else exif


def _to_16_bits(data: bytes, width: int, height: int, mode: str) -> pyvips.Image:
    """Return one band of 16 bits, of integers or of floating point from 0 to 1."""
    if mode == "I;16":
        image = pyvips.Image.new_from_memory(data, width, height, 1, "ushort")
    else:
        image = pyvips.Image.new_from_memory(data, width, height, 1, "float").linear(65_535, 0).cast("ushort")
    return image.copy(interpretation="grey16").copy_memory()
