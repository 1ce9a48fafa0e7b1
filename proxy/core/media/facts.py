"""Facts: what an original's header says, believed only as far as the limits go."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from proxy.core.geometry import Size, upright
from proxy.core.media.formats import FORMATS, Format


@dataclass(frozen=True, slots=True)
class Facts:
    """The header of an original: sizes in pixels, as stored (before its EXIF orientation is applied)."""

    format: Format
    width: int
    height: int
    """Of one frame or page."""
    orientation: int = 1
    """EXIF, 1…8."""
    frames: int = 1
    alpha: bool = False
    icc: bool = False
    """An ICC profile is embedded."""
    wide: bool = False
    """Colours that sRGB has not are signalled in another way than by a profile."""
    page: int = 0
    """Which page the sides are of, where pages differ; counted from 0."""

    @property
    def stored(self) -> Size:
        """One frame's size as stored."""
        return Size(self.width, self.height)

    @property
    def upright(self) -> Size:
        """One frame's size as a viewer sees it."""
        return upright(self.orientation).of_size(self.stored)

    def to_dict(self) -> dict[str, Any]:
        """Give JSON-ready values; the inverse of `from_dict`."""
        return asdict(self) | {"format": self.format.name}

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """Read `to_dict`'s values from an untrusted side; ValueError when they cannot be true."""
        try:
            facts = cls(
                format=FORMATS[str(told["format"])],
                width=int(told["width"]),
                height=int(told["height"]),
                orientation=int(told["orientation"]),
                frames=int(told["frames"]),
                alpha=bool(told["alpha"]),
                icc=bool(told["icc"]),
                wide=bool(told["wide"]),
                page=int(told["page"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("facts lack a value") from error
        if min(facts.width, facts.height, facts.frames) < 1 or not 1 <= facts.orientation <= 8:  # noqa: PLR2004 - EXIF
            raise ValueError("facts out of range")
        if not 0 <= facts.page < facts.frames:
            raise ValueError("facts out of range")
        return facts
