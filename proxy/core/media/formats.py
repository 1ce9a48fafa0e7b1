"""Picture formats: one table for magic bytes, media types and what each can hold."""

from dataclasses import dataclass

from proxy.core.media.svg import is_svg


@dataclass(frozen=True, slots=True)
class Format:
    """One format that Darkroom reads or writes; sides in pixels."""

    name: str
    media_type: str
    alpha: bool
    animation: bool
    largest_side: int
    """The longest side the format's own header can hold."""
    becomes: str = ""
    """The format a derivative of it has where the recipe names none; empty is its own."""


JPEG = Format("jpeg", "image/jpeg", alpha=False, animation=False, largest_side=65_500)
WEBP = Format("webp", "image/webp", alpha=True, animation=True, largest_side=16_383)
AVIF = Format("avif", "image/avif", alpha=True, animation=False, largest_side=16_384)
PNG = Format("png", "image/png", alpha=True, animation=False, largest_side=1_000_000)
GIF = Format("gif", "image/gif", alpha=True, animation=True, largest_side=65_535)
TIFF = Format("tiff", "image/tiff", alpha=True, animation=False, largest_side=1_000_000)
SVG = Format("svg", "image/svg+xml", alpha=True, animation=False, largest_side=1_000_000, becomes="png")
HEIC = Format("heic", "image/heic", alpha=True, animation=False, largest_side=65_535, becomes="jpeg")
JXL = Format("jxl", "image/jxl", alpha=True, animation=False, largest_side=1_000_000, becomes="jpeg")
PDF = Format("pdf", "application/pdf", alpha=True, animation=False, largest_side=1_000_000, becomes="png")
JSON = Format("json", "application/json", alpha=True, animation=False, largest_side=1_000_000)
BLURHASH = Format("blurhash", "text/plain; charset=us-ascii", alpha=False, animation=False, largest_side=1_000_000)
THUMBHASH = Format("thumbhash", "text/plain; charset=us-ascii", alpha=True, animation=False, largest_side=1_000_000)

ALWAYS_READ = (JPEG, PNG, WEBP, GIF, AVIF)
EXTRA_WRITTEN = (JXL,)
ALWAYS_WRITTEN = (JPEG, WEBP, AVIF, PNG, GIF, TIFF)
PROFILED = (JPEG, WEBP, AVIF, PNG)
"""Formats whose readers heed a colour profile."""
BY_SETTING = (SVG, TIFF, HEIC, JXL, PDF)
VECTORS = (SVG, PDF)
PAGED = (TIFF, PDF)
"""Formats whose pages are pictures of their own, each of its own size."""
TEXTS = (JSON, BLURHASH, THUMBHASH)

FORMATS = {one.name: one for one in (JPEG, WEBP, AVIF, PNG, GIF, TIFF, SVG, HEIC, JXL, PDF, JSON, BLURHASH, THUMBHASH)}


def readable(names: str) -> tuple[Format, ...]:
    """Give the formats that are read where `names`, a comma list, are read beside those that always are."""
    return (*ALWAYS_READ, *(FORMATS[name] for name in names.split(",") if name))


def writable(names: str) -> tuple[Format, ...]:
    """Give the formats that are written where `names`, a comma list, are read beside those that always are."""
    return (*ALWAYS_WRITTEN, *(one for one in EXTRA_WRITTEN if one.name in names.split(",")))


_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"mif1", b"miaf", b"msf1"}
_HEVC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JXL_MAGIC = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
SNIFF_BYTES = 1_024
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
    if head[4:8] == b"ftyp":
        return AVIF if _carries(head, _AVIF_BRANDS) else HEIC if _carries(head, _HEVC_BRANDS) else None
    return _sniff_by_setting(head)


def _sniff_by_setting(head: bytes) -> Format | None:
    """TIFF: byte order and 42, or 43 for BigTIFF. JPEG XL: ISO 18181-2. PDF: ISO 32000. SVG: the root element."""
    if head.startswith(_TIFF_MAGIC):
        return TIFF
    if head.startswith(_JXL_MAGIC):
        return JXL
    if head.startswith(b"%PDF-"):
        return PDF
    return SVG if is_svg(head) else None


def _carries(head: bytes, brands: set[bytes]) -> bool:
    """Look at the major brand, then at the compatible ones (AVIF §6): `mif1` alone may hide either codec."""
    end = min(int.from_bytes(head[:4], "big"), SNIFF_BYTES, len(head))
    compatible = {head[at : at + 4] for at in range(16, end - 3, 4)}
    major = head[8:12]
    return major in brands or (major in _HEIF_BRANDS and bool(compatible & brands))
