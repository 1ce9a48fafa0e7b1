"""Pictures that a scanner finds something in: the EICAR test file, in the comment of a PNG."""

import zlib

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def commented_png(comment: bytes, level: int = 90) -> bytes:
    """Return a PNG of 8×8 pixels with a comment; another level makes other bytes."""
    header = b"".join(side.to_bytes(4, "big") for side in (8, 8)) + bytes([8, 2, 0, 0, 0])
    rows = (b"\0" + bytes([level] * 24)) * 8
    chunks = ((b"IHDR", header), (b"tEXt", b"Comment\0" + comment), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, *zip(*chunks, strict=True)))


def infected_png(level: int = 90) -> bytes:
    """Return a PNG that a scanner finds something in."""
    return commented_png(EICAR, level)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
