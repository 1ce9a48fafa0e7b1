"""Picture formats: one table for magic bytes, media types and what each can hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One format that Darkroom reads or writes; sides in pixels."""

    name: str
    media_type: str
    alpha: bool
    animation: bool
    largest_side: int
    """The longest side the format's own header can hold."""


JPEG = Format("jpeg", "image/jpeg", alpha=False, animation=False, largest_side=65_500)
WEBP = Format("webp", "image/webp", alpha=True, animation=True, largest_side=16_383)
AVIF = Format("avif", "image/avif", alpha=True, animation=False, largest_side=16_384)
PNG = Format("png", "image/png", alpha=True, animation=False, largest_side=1_000_000)
GIF = Format("gif", "image/gif", alpha=True, animation=True, largest_side=65_535)

FORMATS = {one.name: one for one in (JPEG, WEBP, AVIF, PNG, GIF)}

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"mif1", b"miaf", b"msf1"}
SNIFF_BYTES = 128
"""How much of an original's head `sniff` wants."""


def sniff(head: bytes) -> Format | None:
    """Tell the format from the first SNIFF_BYTES bytes; None when it is none of ours.

    Names and declared media types are never believed. JPEG: ITU T.81 SOI and a marker. PNG: the eight bytes of W3C PNG
    §5.2.
    WebP: RIFF container, RFC 9649. GIF: either version. AVIF: an ISO base media `ftyp` box that carries an AV1 brand.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return GIF
    if head[4:8] == b"ftyp" and _carries_av1(head):
        return AVIF
    return None


def _carries_av1(head: bytes) -> bool:
    """Look at the major brand, then at the compatible ones (AVIF §6): `mif1` alone may hide HEVC."""
    end = min(int.from_bytes(head[:4], "big"), SNIFF_BYTES, len(head))
    compatible = {head[at : at + 4] for at in range(16, end - 3, 4)}
    major = head[8:12]
    return major in _AVIF_BRANDS or (major in _HEIF_BRANDS and bool(compatible & _AVIF_BRANDS))
