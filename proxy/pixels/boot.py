"""Set up libvips for a worker: version check, one thread, no cache, only the loaders of the allowed formats."""

import os

os.environ.setdefault("VIPS_CONCURRENCY", "1")  # read once, when libvips starts: parallelism comes from workers

from collections.abc import Sequence

import pyvips

from proxy.core.media.formats import ALWAYS_READ, AVIF, GIF, JPEG, PNG, SVG, TIFF, WEBP, Format
from proxy.pixels import extras, source

MIN_LIBVIPS = (8, 18, 7)
"""Older versions have known memory-safety errors in their loaders."""

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
    """The loaded libvips is too old; the message says what to do."""


def start(formats: Sequence[Format] = ALWAYS_READ, *, fonts: bool = True) -> str:
    """Check libvips' version and block all loaders but those of `formats`. Return the version, for example "8.18.7".

    `fonts` tells whether fonts can be opened whenever an SVG contains text. Raise UnsupportedLibvips, or NotInstalled
    if the library of a format is missing.
    """
    version = tuple(pyvips.version(part) for part in range(3))
    text = ".".join(map(str, version))
    if version < MIN_LIBVIPS:
        raise UnsupportedLibvips(
            f"libvips {text} is loaded; Darkroom needs {'.'.join(map(str, MIN_LIBVIPS))} or newer. pyvips was probably "
            "compiled against the system's libvips: install it again with "
            "PKG_CONFIG_LIBDIR=/nonexistent pip install --force-reinstall --no-cache-dir 'pyvips[binary]'"
        )
    pyvips.cache_set_max(0)
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 - pyvips' own signature
    for format_ in formats:
        if format_ in _LOADERS:
            pyvips.operation_block_set(_LOADERS[format_], False)  # noqa: FBT003 - as above
    extras.enable(formats)
    source.allow(formats, fonts=fonts)
    return text


def warm_up() -> None:
    """Encode and decode one small picture per format, and run the other operations once.

    Whatever is loaded lazily (profiles, encoder tables, thread stacks) is loaded before the sandbox closes and before
    the first request.
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
