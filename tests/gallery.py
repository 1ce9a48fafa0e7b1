"""The option table of docs/recipes.md: one example a row, its picture developed by the pixel room itself.

    python -m tests.gallery        # writes the table and docs/pictures again

A test holds the page to the table, and each picture to what comes out now.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pyvips

from proxy.core.geometry import Size
from proxy.core.identifiers import Digest
from proxy.core.media.facts_document import describe
from proxy.core.media.formats import TEXTS
from proxy.core.planning.plan import Plan, Trim
from proxy.core.planning.planner import PlanContext, plan_render, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.option_kinds import Option
from proxy.core.recipe.options import OPTIONS
from proxy.pixels import boot, scenes
from proxy.pixels.lettering import open_fonts
from proxy.pixels.probe import probe
from proxy.pixels.render import render
from proxy.pixels.trim import find_content
from tests.pictures import opened

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "recipes.md"
PICTURES = DOCS / "pictures"
BEGIN, END = "<!-- options: written by tests/gallery.py -->", "<!-- end of options -->"
SHOWN = Size(240, 160)

Scene = Callable[[], bytes]


@lru_cache
def dunes() -> bytes:
    """Give the picture most examples are made of: 1200×800."""
    return scenes.dunes(1_200, 800)


@lru_cache
def orbit() -> bytes:
    """Give an animation."""
    return scenes.orbit(160, 12)


@lru_cache
def framed() -> bytes:
    """Give a picture with a wide white border."""
    picture = pyvips.Image.new_from_buffer(scenes.planet(600, 600), "")
    picture = picture.flatten() if picture.hasalpha() else picture
    body: bytes = picture.embed(150, 50, 900, 700, extend="white").pngsave_buffer()
    return body


@lru_cache
def logo() -> bytes:
    """Give a watermark: a ring on nothing."""
    x, y = (one - 100 for one in pyvips.Image.xyz(200, 200).bandsplit())
    distance = (x**2 + y**2) ** 0.5
    ring = ((distance > 60) & (distance < 95)).ifthenelse(255, 0).gaussblur(1)
    white = ring.new_from_image([255, 255, 255]).copy(interpretation="srgb")
    body: bytes = white.cast("uchar").bandjoin(ring.cast("uchar")).pngsave_buffer()
    return body


EXAMPLES: dict[str, tuple[str, Scene]] = {
    "page": ("page1-w240-webp", dunes),
    "frame": ("frame3-w160-webp", orbit),
    "still": ("still-w160-webp", orbit),
    "crop": ("crop0.5_0.25_0.4_0.4-w240-webp", dunes),
    "trim": ("trim10-w240-webp", framed),
    "rot": ("rot90-w160-webp", dunes),
    "flip": ("flip-w240-webp", dunes),
    "flop": ("flop-w240-webp", dunes),
    "width": ("w240-webp", dunes),
    "height": ("h120-webp", dunes),
    "aspect": ("w240-ar7_3-webp", dunes),
    "fit": ("w240-h160-contain-bg1c1a17-webp", framed),
    "up": ("crop0.62_0.35_0.1_0.1-w240-up-webp", dunes),
    "dpr": ("w120-dpr2-webp", dunes),
    "gravity": ("w120-h160-gse-webp", dunes),
    "focus": ("w120-h160-fp0.68_0.4-webp", dunes),
    "blur": ("w240-blur4-webp", dunes),
    "sharpen": ("w240-sharpen2-webp", dunes),
    "pixelate": ("w240-pixelate12-webp", dunes),
    "brightness": ("w240-bri1.3-webp", dunes),
    "contrast": ("w240-con1.5-webp", dunes),
    "saturation": ("w240-sat0.4-webp", dunes),
    "hue": ("w240-hue120-webp", dunes),
    "gamma": ("w240-gamma2.2-webp", dunes),
    "gray": ("w240-gray-webp", dunes),
    "sepia": ("w240-sepia-webp", dunes),
    "invert": ("w240-invert-webp", dunes),
    "tint": ("w240-tint2a6f97-webp", dunes),
    "duotone": ("w240-duotone1d1145_ffd6a5-webp", dunes),
    "pad": ("w200-pad20_20_40_20-bgf4f1ea-webp", dunes),
    "border": ("w220-border8_ffffff-webp", dunes),
    "round": ("w240-round24-webp", dunes),
    "background": ("w240-h240-contain-bg2a6f97-webp", dunes),
    "watermark": ("w240-wm_logo_ne_30_80-webp", dunes),
    "text": ("w240-text4461726b726f6f6d_s_60-webp", dunes),
    "quality": ("w240-q10-jpeg", dunes),
    "target": ("w240-qlow-jpeg", dunes),
    "budget": ("w240-max3k-webp", dunes),
    "lossless": ("w240-lossless-webp", dunes),
    "prog": ("w240-prog-jpeg", dunes),
    "keep": ("w240-keep-jpeg", dunes),
    "dl": ("w240-dl-jpeg", dunes),
    "format": ("w240-h160-thumbhash", dunes),
    "preset": ("~thumbnail", dunes),
}
"""Recipe field to its example."""

_PRESET = "w240-h135-q85-webp"
"""What the example's preset says."""


def develop(recipe: str, scene: Scene) -> tuple[str, bytes]:
    """Develop an example; give its file's ending and its bytes."""
    asked = parse(_PRESET if recipe.startswith("~") else recipe)
    with opened(scene()) as fd, opened(logo()) as logo_fd:
        facts = probe(fd)
        if asked.format == "json":
            return "json", describe(Digest("0" * 64), facts, len(scene())).body
        terms = PlanContext(watermark=Size(200, 200))
        plan = plan_render(asked, facts, terms)
        if isinstance(plan, Trim):
            plan = plan_render(asked, facts, terms, find_content(fd, plan))
        if not isinstance(plan, Plan):
            plan = resolve_plan(asked, facts, terms)
        made = render(fd, plan, logo_fd if plan.overlays else None)
    return ("txt" if made.format in TEXTS else made.format.name), made.body


def table() -> Iterator[str]:
    """Give the lines of the table."""
    yield "| option | example | what it does | |"
    yield "|---|---|---|---|"
    for row in OPTIONS:
        recipe, scene = EXAMPLES[row.field]
        ending, body = develop(recipe, scene)
        shown = f"`{body.decode()}`" if ending in ("txt", "json") else f"![{recipe}](pictures/{_name(row, ending)})"
        yield f"| `{row.usage}` | `{recipe}` | {row.meaning} | {shown} |"


def pictures() -> Iterator[tuple[str, bytes]]:
    """Give the name and the bytes of each example's picture."""
    for row in OPTIONS:
        ending, body = develop(*EXAMPLES[row.field])
        if ending not in ("txt", "json"):
            yield _name(row, ending), body


def _name(row: Option, ending: str) -> str:
    return f"{row.field}.{'jpg' if ending == 'jpeg' else ending}"


def write() -> None:
    """Write the table into its page, and the pictures beside it."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text("\n".join((before + BEGIN, *table(), END)) + after, encoding="utf-8")
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.iterdir():
        old.unlink()
    for name, body in pictures():
        (PICTURES / name).write_bytes(body)


if __name__ == "__main__":
    boot.start()
    open_fonts(None)
    write()
