"""A derivative: the finished bytes of one picture."""

from dataclasses import dataclass, field

from proxy.core.media.formats import FORMATS, Format


@dataclass(frozen=True, slots=True)
class Derivative:
    """What a recipe made of an original; sides in pixels, of one frame."""

    body: bytes = field(repr=False)
    format: Format
    width: int
    height: int

    def labels(self) -> dict[str, str]:
        """Give what has to be kept beside the body, as text; the inverse of `read`."""
        return {"format": self.format.name, "width": str(self.width), "height": str(self.height)}

    @classmethod
    def read(cls, body: bytes, labels: dict[str, str]) -> "Derivative":
        """Rebuild a derivative from what was kept; ValueError when the labels cannot be true."""
        try:
            return cls(body, FORMATS[labels["format"]], int(labels["width"]), int(labels["height"]))
        except KeyError as error:
            raise ValueError(f"a kept derivative lacks {error}") from None
