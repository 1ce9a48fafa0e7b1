"""Start libvips as a worker wants it: the right version, one thread, no cache, only the loaders that are allowed."""

import os

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # read once, when libvips starts: parallelism comes from workers

from collections.abc import Sequence

import pyvips

from proxy.core.media.formats import ALWAYS_READ, AVIF, GIF, JPEG, PNG, SVG, TIFF, WEBP, Format
from proxy.pixels import extras, source

OLDEST = (8, 18, 7)
"""Older ones have known memory-safety faults in their loaders."""

_LOADERS = {
    JPEG: "VipsForeignLoadJpeg",
    PNG: "VipsForeignLoadPng",
    WEBP: "VipsForeignLoadWebp",
    GIF: "VipsForeignLoadNsgif",
    AVIF: "VipsForeignLoadHeif",
    SVG: "VipsForeignLoadSvg",
    TIFF: "VipsForeignLoadTiff",
}


class UnsupportedLibvips(Exception):
    """The libvips that was loaded is too old; the message says what to do."""


def start(formats: Sequence[Format] = ALWAYS_READ, *, letters: bool = True) -> str:
    """Check the version, set libvips up and block every loader but those of `formats`; give the version, "8.18.7".

    `letters` tells that fonts can be opened whenever a drawing has text. UnsupportedLibvips, or NotInstalled where a
    format's own library is not there.
    """
    version = tuple(pyvips.version(part) for part in range(3))
    told = ".".join(map(str, version))
    if version < OLDEST:
        raise UnsupportedLibvips(
            f"libvips {told} is loaded; Darkroom needs {'.'.join(map(str, OLDEST))} or newer. pyvips was probably "
            "compiled against the system's libvips: install it again with "
            "PKG_CONFIG_LIBDIR=/nonexistent pip install --force-reinstall --no-cache-dir 'pyvips[binary]'"
        )
    pyvips.cache_set_max(0)
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 - pyvips' own signature
    for one in formats:
        if one in _LOADERS:
            pyvips.operation_block_set(_LOADERS[one], False)  # noqa: FBT003 - as above
    extras.enlist(formats)
    source.allow(formats, letters=letters)
    return told


def warm_up() -> None:
    """Encode and decode one small picture per format, and run the other operations once.

    What is loaded lazily (profiles, encoder tables, threads' stacks) is loaded before the sandbox closes and before the
    first request waits for it.
    """
    picture = (
        pyvips.Image.black(64, 64, bands=4).linear(1, [200, 120, 40, 255]).cast("uchar").copy(interpretation="srgb")
    )
    for suffix in (".jpg", ".webp", ".avif", ".png", ".gif"):
        body = picture.write_to_buffer(suffix, **({"effort": 0} if suffix == ".avif" else {}))
        loaded = pyvips.Image.new_from_buffer(body, "", access="sequential")
        loaded.resize(0.5).icc_transform("srgb", embedded=True, input_profile="srgb").copy_memory()
    picture.premultiply().resize(0.4).unpremultiply().cast("uchar").smartcrop(8, 8, interesting="attention").avg()
    extras.warm_up()
