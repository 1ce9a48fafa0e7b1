"""Read an original's header into Facts; no pixel is decoded."""

from typing import Any

import pyvips

from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, PAGED
from proxy.pixels import extras
from proxy.pixels.light import is_wide
from proxy.pixels.source import open_image, refusal, sniff_fd


def probe(fd: int, page: int = 0) -> Facts:
    """Tell what the header says; of `page`, where pages differ.

    UnsupportedFormat for an unknown kind, CorruptImage when the header does not parse.
    """
    source = sniff_fd(fd)
    if source in extras.EXTRAS:
        return extras.facts(fd, source, page)
    try:
        image = open_image(fd, source, page)
        frames = 1 if source is AVIF else max(1, _get(image, "n-pages", 1))  # several AVIF items are no animation
        orientation = _get(image, "orientation", 1)
        return Facts(
            format=source,
            width=image.width,
            height=image.height,
            orientation=orientation if orientation in range(1, 9) else 1,
            frames=frames,
            alpha=bool(image.hasalpha()),
            icc=image.get_typeof("icc-profile-data") != 0,
            wide=is_wide(image),
            page=page if source in PAGED else 0,
        )
    except pyvips.Error as error:
        raise refusal(error) from error


def _get(image: pyvips.Image, name: str, default: Any) -> Any:  # noqa: ANN401 - header fields have their own types
    return image.get(name) if image.get_typeof(name) else default
