"""UUIDv7: identifiers that sort by the time of their creation (RFC 9562 §5.7)."""

import os
import re
import time
from collections.abc import Callable

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
LENGTH = 36

_VERSION, _VARIANT = 0x7 << 76, 0b10 << 62
_RANDOM_BITS = 62
_SEQUENCE_BITS = 12


class Uuid7Generator:
    """Generate increasing identifiers. `clock` returns Unix nanoseconds.

    The 12 bits after the version hold the fraction of the millisecond (RFC 9562 §6.2, method 3), so identifiers of one
    process increase even if the clock stands still or is set back. Two threads at once may get the same fraction; their
    random bits differ.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._last = 0

    def __call__(self) -> str:
        """Return a new identifier: 36 characters, lower-case hexadecimal digits in five groups."""
        millisecond, nanosecond = divmod(self._clock(), 1_000_000)
        moment = (millisecond << _SEQUENCE_BITS) | (nanosecond << _SEQUENCE_BITS) // 1_000_000
        self._last = moment = max(moment, self._last + 1)
        return _format(moment, int.from_bytes(os.urandom(8), "big") >> (64 - _RANDOM_BITS))


new_uuid = Uuid7Generator()
"""Generator of this process."""


def is_uuid7(text: str) -> bool:
    """Return whether `text` is a UUIDv7 in its canonical spelling."""
    return UUID.fullmatch(text) is not None


def _format(moment: int, random: int) -> str:
    milliseconds, sequence = moment >> _SEQUENCE_BITS, moment & ((1 << _SEQUENCE_BITS) - 1)
    digits = f"{milliseconds << 80 | _VERSION | sequence << 64 | _VARIANT | random:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
