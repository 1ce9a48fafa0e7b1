"""Markup: every value is escaped, and what there is not has no attribute."""

from html.parser import HTMLParser

from catalog.urls.markup import Source, img, picture
from proxy.core.geometry import Size

EVIL = "\"><script>alert(1)</script>&amp;'"


class Elements(HTMLParser):
    """Collects elements and their attributes as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))


def test_values_are_read_back_as_they_were() -> None:
    text = img("/t?e=1&s=2", srcset=f"{EVIL} 1x", sizes=EVIL, size=Size(4, 3), alt=EVIL, color="#a0522d")
    assert Elements(text).found == [
        (
            "img",
            {
                "src": "/t?e=1&s=2",
                "srcset": f"{EVIL} 1x",
                "sizes": EVIL,
                "width": "4",
                "height": "3",
                "alt": EVIL,
                "style": "background-color: #a0522d",
                "loading": "lazy",
                "decoding": "async",
            },
        )
    ]


def test_what_is_not_known_has_no_attribute_but_the_alternative_text_is_always_there() -> None:
    text = img("/t", srcset=None, sizes="100vw", size=None, alt="", color=None)
    assert text == '<img src="/t" alt="" loading="lazy" decoding="async">'


def test_a_picture_offers_its_sources_before_the_image() -> None:
    text = picture([Source("image/avif", "/a"), Source("image/webp", EVIL)], None, '<img src="/t">')
    assert Elements(text).found == [
        ("picture", {}),
        ("source", {"type": "image/avif", "srcset": "/a"}),
        ("source", {"type": "image/webp", "srcset": EVIL}),
        ("img", {"src": "/t"}),
    ]
    assert text.endswith("</picture>")
