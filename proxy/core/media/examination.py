"""Examination: all that one decode of an original to its end tells.

It is made in the sandbox and crosses to the server as JSON, where every value is checked as hostile.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from proxy.core.media.details import Details
from proxy.core.media.dominant_colours import MAX_COLOURS
from proxy.core.media.facts import Facts
from proxy.core.media.quality_score import Quality

_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_HASH: Final = re.compile(r"[0-9a-f]{16}")
_THUMBHASH: Final = re.compile(r"[0-9A-Za-z+/]{7,40}={0,2}")
_COMPONENTS: Final = frozenset({"sharpness", "exposure", "contrast", "resolution", "noise"})
_LARGEST_FILE: Final = 2**40
PARTS: Final = ("details", "thumbhash", "colours", "hash", "quality")
"""What can fail by itself and leave the image usable."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What an original is, and what its pixels show; `failed` names the parts that could not be computed."""

    facts: Facts
    details: Details | None = None
    thumbhash: str | None = None
    color: str | None = None
    colors: tuple[str, ...] = ()
    phash: str | None = None
    quality: Quality | None = None
    end_bytes: int | None = None
    """Where the image ends in its file; what follows is not a part of it. None where the format's end is not known."""
    failed: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; the inverse of `from_dict`."""
        return {
            "facts": self.facts.to_dict(),
            "details": None if self.details is None else self.details.to_dict(),
            "thumbhash": self.thumbhash,
            "color": self.color,
            "colors": list(self.colors),
            "phash": self.phash,
            "quality": None if self.quality is None else asdict(self.quality),
            "end_bytes": self.end_bytes,
            "failed": list(self.failed),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], facts: Facts) -> Self:
        """Rebuild an examination around facts that were checked. Raise ValueError for any value that cannot be true."""
        expected = {"facts", "details", "thumbhash", "color", "colors", "phash", "quality", "end_bytes", "failed"}
        if set(values) != expected:
            raise ValueError("an examination with other fields")
        colors, failed, details, quality = (values[name] for name in ("colors", "failed", "details", "quality"))
        if not isinstance(colors, list) or len(colors) > MAX_COLOURS:
            raise ValueError("colors are not a short list")
        if not isinstance(failed, list) or not set(failed) <= set(PARTS) or len(failed) > len(PARTS):
            raise ValueError("failed parts that do not exist")
        return cls(
            facts=facts,
            details=None if details is None else Details.from_dict(_mapping(details)),
            thumbhash=_matching(values["thumbhash"], _THUMBHASH),
            color=_matching(values["color"], _COLOUR),
            colors=tuple(str(_matching(color, _COLOUR)) for color in colors if color is not None),
            phash=_matching(values["phash"], _HASH),
            quality=None if quality is None else _quality(_mapping(quality)),
            end_bytes=_length(values["end_bytes"]),
            failed=tuple(failed),
        )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one error for whatever a worker sends
    return value


def _matching(value: object, pattern: re.Pattern[str]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError("a text that is not of its kind")
    return value


def _length(value: object) -> int | None:
    if value is not None and (type(value) is not int or not 0 < value < _LARGEST_FILE):
        raise ValueError("a length that no file has")
    return value


def _quality(values: Mapping[str, Any]) -> Quality:
    if set(values) != _COMPONENTS:
        raise ValueError("quality with other components")
    for value in values.values():
        if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= 1:
            raise ValueError("a component of quality out of range")
    return Quality(**{name: float(value) for name, value in values.items()})
