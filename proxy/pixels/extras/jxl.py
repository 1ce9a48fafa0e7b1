"""JPEG XL, by pillow-jxl-plugin: libjxl. It decodes as it opens, so the size is read by our own reader before."""

import pyvips
from pillow_jxl import Decoder, Encoder

from proxy.core.media.facts import Facts
from proxy.core.media.formats import JXL
from proxy.core.media.jxl import read_header
from proxy.pixels.extras.pixels import dressed, exif_block, picture

_BANDS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_HIGHEST = 99
"""Of its qualities with a loss; the library takes 100 for none."""
_MODES = {bands: mode for mode, bands in _BANDS.items()}


def facts(body: bytes, _: int) -> Facts:
    """Read the codestream's header; of an animation the first frame is the picture."""
    found = read_header(body)
    return Facts(JXL, found.width, found.height, alpha=found.alpha)


def load(body: bytes, _: int, __: float) -> pyvips.Image:
    """Decode, upright; a JPEG that was repacked becomes that JPEG again."""
    repacked, told, data, icc, boxes = Decoder(num_threads=0)(body)
    if repacked:
        return pyvips.Image.jpegload_buffer(data, fail_on="truncated").autorot().copy_memory()
    if told.mode in ("I;16", "F", "F;16"):
        return dressed(_deep(data, told.width, told.height, told.mode), icc, None, None)
    bands = _BANDS[told.mode]
    exif = next((box.data for box in boxes if box.box_type == b"Exif"), None)
    image = picture(data, told.width, told.height, told.width * bands, bands).copy_memory()
    return dressed(image, icc, exif and _tiff(exif), None)


def encode(image: pyvips.Image, quality: int | None, effort: int, *, with_exif: bool = False) -> bytes:
    """Write sRGB or grey, 8 bits; a quality of None is lossless."""
    encoder = Encoder(
        mode=_MODES[image.bands],
        lossless=quality is None,
        quality=_HIGHEST if quality is None else min(_HIGHEST, quality),
        effort=effort,
        num_threads=0,
        decoding_speed=0,
        use_container=with_exif,
        use_original_profile=False,
    )
    told = {"exif": bytes(4) + exif_block(image) if with_exif else None, "jumb": None, "xmp": None, "compress": False}
    body: bytes = encoder(bytes(image.write_to_memory()), image.width, image.height, jpeg_encode=False, **told)
    return body


def warm_up() -> None:
    """Encode and decode a small picture."""
    load(encode(pyvips.Image.black(64, 64, bands=3), 80, 3), 0, 1.0)


def _tiff(exif: bytes) -> bytes:
    """Give EXIF from its TIFF header on: four bytes tell where that is, which some writers forget."""
    return exif[4:] if exif[4:8] in (b"II*\0", b"MM\0*") else exif


def _deep(data: bytes, width: int, height: int, mode: str) -> pyvips.Image:
    """Give one band of 16 bits, or of floating point from 0 to 1."""
    if mode == "I;16":
        deep = pyvips.Image.new_from_memory(data, width, height, 1, "ushort")
    else:
        deep = pyvips.Image.new_from_memory(data, width, height, 1, "float").linear(65_535, 0).cast("ushort")
    return deep.copy(interpretation="grey16").copy_memory()
