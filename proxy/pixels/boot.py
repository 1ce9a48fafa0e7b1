"""Loads libvips, checks its version and blocks the loaders that are not allowed."""

import pyvips

NEEDED = (8, 18, 7)
ALLOWED = ("Jpeg", "Png", "Webp", "Nsgif", "Heif")


class WrongLibvips(Exception):  # noqa: N818 - a sentence for the operator
    """The loaded libvips is too old."""


def start() -> str:
    """Check and set up libvips; give its version."""
    found = tuple(pyvips.version(part) for part in range(3))
    text = ".".join(map(str, found))
    if found < NEEDED:
        raise WrongLibvips(f"libvips {text} is loaded, 8.18.7 or newer is needed.")
    pyvips.voperation.cache_set_max(0)
    pyvips.vips_lib.vips_concurrency_set(1)
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 - libvips' own signature
    for one in ALLOWED:
        pyvips.operation_block_set(f"VipsForeignLoad{one}", False)  # noqa: FBT003 - the same
    return text


def warm_up() -> None:
    """Encode and decode one tiny picture of each format."""
    picture = pyvips.Image.black(16, 16, bands=3).copy_memory()
    for suffix in (".jpg", ".png", ".webp", ".gif", ".avif"):
        body = picture.write_to_buffer(suffix)
        pyvips.Image.new_from_buffer(body, "", access="sequential").resize(0.5).write_to_buffer(".jpg")
