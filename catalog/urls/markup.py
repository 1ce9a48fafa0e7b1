"""HTML of responsive images. Every value is escaped: alternative texts come from people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from proxy.core.geometry import Size


@dataclass(frozen=True, slots=True)
class Source:
    """One `<source>` of a `<picture>`: what a browser that reads the media type chooses from."""

    media_type: str
    srcset: str


def img(  # noqa: PLR0913 - the attributes of the element
    url: str, *, srcset: str | None, sizes: str | None, size: Size | None, alt: str, color: str | None
) -> str:
    """Return an `<img>`: its sides hold the place, and its colour fills it until the image is there."""
    attributes: dict[str, str | None] = {
        "src": url,
        "srcset": srcset,
        "sizes": sizes if srcset else None,
        "width": None if size is None else str(size.width),
        "height": None if size is None else str(size.height),
        "alt": alt,
        "style": None if color is None else f"background-color: {color}",
        "loading": "lazy",
        "decoding": "async",
    }
    return _element("img", attributes)


def picture(sources: Sequence[Source], sizes: str | None, fallback: str) -> str:
    """Return a `<picture>` with its sources, the best first, around the `<img>` for all other browsers."""
    elements = [
        _element("source", {"type": source.media_type, "srcset": source.srcset, "sizes": sizes}) for source in sources
    ]
    return "\n".join(["<picture>", *elements, fallback, "</picture>"])


def _element(name: str, attributes: Mapping[str, str | None]) -> str:
    texts = [f'{attribute}="{escape(value)}"' for attribute, value in attributes.items() if value is not None]
    return f"<{' '.join((name, *texts))}>"
