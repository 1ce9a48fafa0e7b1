"""Read the header of an original into Facts. No pixel is decoded."""

from typing import Any

import pyvips

from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, PAGED
from proxy.pixels import extras
from proxy.pixels.light import has_wide_signal
from proxy.pixels.source import DECODE_ERRORS, open_image, sniff_fd, to_refusal


def probe(fd: int, page: int = 0) -> Facts:
    """Return the facts in the header; of `page`, counted from 0, if the format has pages.

    Raise UnsupportedFormat if the format is not allowed, CorruptImage if the header cannot be read.
    """
    source = sniff_fd(fd)
    if source in extras.EXTRAS:
        return extras.facts(fd, source, page)
    try:
        image = open_image(fd, source, page)
        frames = (
            1 if source is AVIF else max(1, _get(image, "n-pages", 1))
        )  # several items of an AVIF are not an animation
        orientation = _get(image, "orientation", 1)
        return Facts(
            format=source,
            width=image.width,
            height=image.height,
            orientation=orientation if orientation in range(1, 9) else 1,
            frames=frames,
            alpha=bool(image.hasalpha()),
            icc=image.get_typeof("icc-profile-data") != 0,
            wide=has_wide_signal(image),
            page=page if source in PAGED else 0,
        )
    except DECODE_ERRORS as error:
        raise to_refusal(error) from error


def _get(image: pyvips.Image, name: str, default: Any) -> Any:  # noqa: ANN401 - each field has a type of its own
    return image.get(name) if image.get_typeof(name) else default
