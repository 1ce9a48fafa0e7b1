"""Picture formats: their media types and capabilities, and their recognition by magic bytes."""

from dataclasses import dataclass

from proxy.core.media.svg import is_svg


@dataclass(frozen=True, slots=True)
class Format:
    """A format that Darkroom reads or writes."""

    name: str
    media_type: str
    alpha: bool
    animation: bool
    largest_side: int
    """The longest side that the format's header can express, in pixels."""
    becomes: str = ""
    """Name of the output format if the recipe names none; empty for the format itself."""


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
"""Formats whose readers apply an embedded colour profile."""
BY_SETTING = (SVG, TIFF, HEIC, JXL, PDF)
"""Formats that are read only if DARKROOM_FORMATS names them."""
VECTORS = (SVG, PDF)
PAGED = (TIFF, PDF)
"""Formats whose pages are independent pictures and may differ in size."""
TEXTS = (JSON, BLURHASH, THUMBHASH)
"""Output formats that are text."""

_ALL = (JPEG, WEBP, AVIF, PNG, GIF, TIFF, SVG, HEIC, JXL, PDF, JSON, BLURHASH, THUMBHASH)
FORMATS = {known.name: known for known in _ALL}


def readable(names: str) -> tuple[Format, ...]:
    """Return the formats that are read: the built-in formats and those in `names`, a comma-separated list."""
    return (*ALWAYS_READ, *(FORMATS[name] for name in names.split(",") if name))


def writable(names: str) -> tuple[Format, ...]:
    """Return the formats that are written: the built-in formats and those in `names`, a comma-separated list."""
    return (*ALWAYS_WRITTEN, *(extra for extra in EXTRA_WRITTEN if extra.name in names.split(",")))


_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"mif1", b"miaf", b"msf1"}
_HEVC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"}
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JXL_MAGIC = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
SNIFF_BYTES = 1_024
"""Number of bytes that `sniff` requires from the beginning of an original."""


def sniff(head: bytes) -> Format | None:
    """Return the format of a file from its first SNIFF_BYTES bytes, or None if the format is unknown.

    File names and declared media types are ignored. Sources: JPEG: ITU T.81, SOI and a marker. PNG: W3C PNG §5.2.
    WebP: RFC 9649. GIF: both versions. AVIF and HEIC: an ISO base media `ftyp` box with a brand of AV1 or HEVC.
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
        return AVIF if _has_brand(head, _AVIF_BRANDS) else HEIC if _has_brand(head, _HEVC_BRANDS) else None
    return _sniff_by_setting(head)


def _sniff_by_setting(head: bytes) -> Format | None:
    """Return the format if it is one of `BY_SETTING` other than HEIC, or None.

    TIFF: byte order and 42, or 43 for BigTIFF. JPEG XL: ISO 18181-2. PDF: ISO 32000. SVG: the root element.
    """
    if head.startswith(_TIFF_MAGIC):
        return TIFF
    if head.startswith(_JXL_MAGIC):
        return JXL
    if head.startswith(b"%PDF-"):
        return PDF
    return SVG if is_svg(head) else None


def _has_brand(head: bytes, brands: set[bytes]) -> bool:
    """Return whether a `ftyp` box has one of `brands`; the generic brands require a compatible brand (AVIF §6)."""
    end = min(int.from_bytes(head[:4], "big"), SNIFF_BYTES, len(head))
    compatible = {head[at : at + 4] for at in range(16, end - 3, 4)}
    major = head[8:12]
    return major in brands or (major in _HEIF_BRANDS and bool(compatible & brands))
