"""A derivative: the finished bytes of a picture."""

from dataclasses import dataclass, field

from proxy.core.media.formats import FORMATS, Format


@dataclass(frozen=True, slots=True)
class Derivative:
    """The result of rendering a recipe; `width` and `height` are in pixels, of one frame."""

    body: bytes = field(repr=False)
    format: Format
    width: int
    height: int

    def labels(self) -> dict[str, str]:
        """Return the metadata to store with the body, as text; the inverse of `read`."""
        return {"format": self.format.name, "width": str(self.width), "height": str(self.height)}

    @classmethod
    def read(cls, body: bytes, labels: dict[str, str]) -> "Derivative":
        """Return a derivative from its stored body and labels. Raise ValueError if the labels are invalid."""
        try:
            return cls(body, FORMATS[labels["format"]], int(labels["width"]), int(labels["height"]))
        except KeyError as error:
            raise ValueError(f"the labels of a stored derivative lack {error}") from None
