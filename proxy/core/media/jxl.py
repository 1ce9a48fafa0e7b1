"""Reader of the header of a JPEG XL codestream: the size of the picture, without decoding it.

The module is hand-written because the size has to be checked against the limits before pixels are decoded, and no
available library reports it: `pillow_jxl.Decoder` decodes the whole picture in the call that returns its size (its
Pillow plugin does so in `Image.open`), and the libvips wheel contains no JPEG XL loader.

Source: ISO/IEC 18181-1:2024 annex D (`SizeHeader`, `ImageMetadata`) and 18181-2 for the container. Numbers are packed
starting at the least significant bit; the first two bits of a `U32` select one of four encodings.
"""

from dataclasses import dataclass

_HEADER_BYTES = 4_096
"""Number of bytes of the codestream that are examined."""
_SIGNATURE = b"\xff\x0a"
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = ((1, 9), (1, 13), (1, 18), (1, 30))
_ALPHA = 0
"""Type number of an extra channel."""

_Encoding = tuple[int, int]
"""An encoding of a `U32`: the offset, and the number of bits that are added to it."""


@dataclass(frozen=True, slots=True)
class Codestream:
    """Contents of the header; width and height are in pixels, after the orientation is applied."""

    width: int
    height: int
    alpha: bool


class _Bits:
    """A sequence of bits, least significant bit first; reading beyond its end raises ValueError."""

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("the JPEG XL header is truncated")
        taken = self._number & ((1 << count) - 1)
        self._number >>= count
        self._left -= count
        return taken

    def number(self, *encodings: _Encoding) -> int:
        offset, bits = encodings[self.take(2)]
        return offset + self.take(bits)


def read_header(body: bytes) -> Codestream:
    """Return the header of a file, with or without a container. Raise ValueError if it is missing or truncated."""
    head = _codestream(body)
    if not head.startswith(_SIGNATURE):
        raise ValueError("the file is not a JPEG XL codestream")
    bits = _Bits(head[len(_SIGNATURE) :])
    width, height = _size(bits)
    orientation, alpha = _metadata(bits)
    return Codestream(*((height, width) if orientation > 4 else (width, height)), alpha)  # noqa: PLR2004 - orientations 5 to 8 swap the sides


def _codestream(body: bytes) -> bytes:
    """Return the first bytes of the codestream, which may be distributed over several boxes."""
    if not body.startswith(_CONTAINER):
        return body[:_HEADER_BYTES]
    head, at = b"", len(_CONTAINER)
    while at < len(body) and len(head) < _HEADER_BYTES:
        length, kind, begins = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8], at + 8
        if length == 1:
            length, begins = int.from_bytes(body[at + 8 : at + 16], "big"), at + 16
        ends = len(body) if length == 0 else at + length
        if ends < begins:
            raise ValueError("a JPEG XL box is shorter than its header")
        if kind in (b"jxlc", b"jxlp"):
            begins += 4 * (kind == b"jxlp")  # an index precedes the codestream
            head += body[begins : min(ends, begins + _HEADER_BYTES)]
        at = ends
    return head


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = (bits.take(5) + 1) * 8 if small else bits.number(*_SIZE_BITS)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return (bits.take(5) + 1) * 8 if small else bits.number(*_SIZE_BITS), height


def _metadata(bits: _Bits) -> tuple[int, bool]:
    """Return the orientation, and whether the first extra channel is alpha."""
    if bits.take(1):  # all_default
        return 1, False
    orientation = 1
    if bits.take(1):
        orientation = 1 + bits.take(3)
        if bits.take(1):
            _size(bits)  # the intrinsic size
        if bits.take(1):
            _skip_preview(bits)
        if bits.take(1):
            _skip_animation(bits)
    _skip_depth(bits)
    bits.take(1)  # modular_16bit_buffers
    extra = bits.number((0, 0), (1, 0), (2, 4), (1, 12))
    return orientation, bool(extra) and _is_alpha(bits)


def _is_alpha(bits: _Bits) -> bool:
    return bool(bits.take(1)) or bits.number((0, 0), (1, 0), (2, 4), (18, 6)) == _ALPHA


def _skip_preview(bits: _Bits) -> None:
    eighths = bits.take(1)
    encodings = ((16, 0), (32, 0), (1, 5), (33, 9)) if eighths else ((1, 6), (65, 8), (321, 10), (1345, 12))
    bits.number(*encodings)
    if not bits.take(3):
        bits.number(*encodings)


def _skip_animation(bits: _Bits) -> None:
    bits.number((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.number((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.number((0, 0), (0, 3), (0, 16), (0, 32))
    bits.take(1)


def _skip_depth(bits: _Bits) -> None:
    if bits.take(1):  # floating point
        bits.number((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
    else:
        bits.number((8, 0), (10, 0), (12, 0), (1, 6))
