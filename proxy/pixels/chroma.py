"""Decide whether a picture's chroma has details as fine as its lightness, as coloured text and line art have.

Theory. Encoders halve the resolution of chroma (4:2:0), which is invisible in photographs and clearly visible in red
text on white. If chroma changes strongly between neighbouring pixels at more than one of a hundred places, it is not
subsampled. That share was at most 0.15 % in photographs, and at least 9 % in coloured text.
"""

import pyvips

from proxy.core.media.formats import JPEG, WEBP
from proxy.core.planning.plan import Encoding

_MAX_PIXELS = 4_000_000
"""Larger pictures are not analysed, because they would have to be in memory."""
_FULL_CHROMA_QUALITY = 90
"""From this quality on, libvips does not subsample anyway."""
_GRID = 5
"""Of so many pixels in each direction, one is compared with its neighbour."""
_STRONG_CHANGE, _MIN_SHARE = 40, 0.01
_TO_CHROMA = pyvips.Image.new_from_array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""ITU-R BT.601, as in JPEG."""


def is_chroma_relevant(image: pyvips.Image, how: Encoding) -> bool:
    """Return whether the encoding depends on `has_fine_chroma`."""
    lossy = how.format in (JPEG, WEBP) and not how.lossless and (how.quality or 0) < _FULL_CHROMA_QUALITY
    still = not image.get_typeof("page-height")
    return lossy and still and image.bands > 2 and min(image.width, image.height) > 2 * _GRID and _is_small(image)  # noqa: PLR2004 - colour


def has_fine_chroma(image: pyvips.Image) -> bool:
    """Return whether chroma is as fine as lightness; `image` is in memory, sRGB of 8 bits, with or without alpha."""
    image = image.extract_band(0, n=3)
    pixels = image.subsample(_GRID, _GRID)
    neighbours = image.crop(1, 1, image.width - 1, image.height - 1).subsample(_GRID, _GRID)
    width, height = min(pixels.width, neighbours.width), min(pixels.height, neighbours.height)
    difference = (pixels.crop(0, 0, width, height) - neighbours.crop(0, 0, width, height)).recomb(_TO_CHROMA).abs()
    strong: float = (difference > _STRONG_CHANGE).bandor().avg()
    return strong / 255 > _MIN_SHARE


def _is_small(image: pyvips.Image) -> bool:
    return bool(image.width * image.height <= _MAX_PIXELS)
