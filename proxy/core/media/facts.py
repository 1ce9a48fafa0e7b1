"""Facts: the contents of an original's header. They are not trusted beyond the limits."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from proxy.core.geometry import Size, upright
from proxy.core.media.formats import FORMATS, Format


@dataclass(frozen=True, slots=True)
class Facts:
    """The header of an original; sizes are in pixels, as stored (before the EXIF orientation is applied)."""

    format: Format
    width: int
    height: int
    """Width and height are of one frame or page."""
    orientation: int = 1
    """The EXIF orientation, 1…8."""
    frames: int = 1
    alpha: bool = False
    icc: bool = False
    """Whether an ICC profile is embedded."""
    wide: bool = False
    """Whether colours outside sRGB are signalled without an ICC profile."""
    page: int = 0
    """The page that `width` and `height` refer to, where pages differ in size; counted from 0."""

    @property
    def stored(self) -> Size:
        """The size of one frame, as stored."""
        return Size(self.width, self.height)

    @property
    def upright(self) -> Size:
        """The size of one frame, after the EXIF orientation is applied."""
        return upright(self.orientation).of_size(self.stored)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON-compatible values; the inverse of `from_dict`."""
        return asdict(self) | {"format": self.format.name}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return facts from the values of an untrusted `to_dict`. Raise ValueError if they are invalid."""
        try:
            facts = cls(
                format=FORMATS[str(values["format"])],
                width=int(values["width"]),
                height=int(values["height"]),
                orientation=int(values["orientation"]),
                frames=int(values["frames"]),
                alpha=bool(values["alpha"]),
                icc=bool(values["icc"]),
                wide=bool(values["wide"]),
                page=int(values["page"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("the facts lack a value") from error
        if min(facts.width, facts.height, facts.frames) < 1 or not 1 <= facts.orientation <= 8:  # noqa: PLR2004 - EXIF
            raise ValueError("a value of the facts is out of range")
        if not 0 <= facts.page < facts.frames:
            raise ValueError("a value of the facts is out of range")
        return facts
