"""HEIC, by pillow-heif: libheif with libde265. Rotations and mirrorings of the file are applied while decoding."""

from io import BytesIO

import pillow_heif
import pyvips

from proxy.core.media.colour_signalling import Signal
from proxy.core.media.facts import Facts
from proxy.core.media.formats import HEIC
from proxy.core.media.isobmff import read_signal
from proxy.pixels.extras.pixels import picture, with_metadata
from proxy.pixels.light import attach_signal

DISTRIBUTION = "pillow-heif"
_BANDS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def facts(body: bytes, _: int) -> Facts:
    """Read the primary picture's header; the other items of the file are not frames of it."""
    file = _open(body)
    width, height = file.size
    icc, signal = bool(file.info.get("icc_profile")), _signal(body)
    wide = not icc and signal is not None and signal.wide
    return Facts(HEIC, width, height, alpha=file.mode in ("LA", "RGBA"), icc=icc, wide=wide)


def load(body: bytes, _: int, __: float) -> pyvips.Image:
    """Decode the primary picture to 8 bits."""
    file = _open(body)
    width, height = file.size
    image = picture(file.data, width, height, file.stride, _BANDS[file.mode]).copy_memory()
    icc = file.info.get("icc_profile")
    image = image if icc else attach_signal(image, _signal(body))
    return with_metadata(image, icc, file.info.get("exif"), file.info.get("xmp"))


def warm_up() -> None:
    """Encode and decode a small picture."""
    encoded = BytesIO()
    pillow_heif.from_bytes("RGB", (64, 64), bytes(64 * 64 * 3)).save(encoded, quality=50)
    load(encoded.getvalue(), 0, 1.0)


def _signal(body: bytes) -> Signal | None:
    return read_signal(lambda start, size: body[start : start + size])


def _open(body: bytes) -> pillow_heif.HeifFile:
    return pillow_heif.open_heif(BytesIO(body), convert_hdr_to_8bit=True)
