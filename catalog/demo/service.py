"""The demo: a tenant with a handful of pictures, and a page that shows what can be asked of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from catalog.core.errors import TenantExists
from catalog.images.url_builder import mint_url, read_path
from catalog.tenants.service import create_tenant
from catalog.tenants.tenant_repository import find_signer
from catalog.uploads.service import Uploaded, UploadService, read_file
from proxy.core.errors import DarkroomError
from proxy.core.identifiers import TenantName
from proxy.core.tenant import Tenant

TENANT = TenantName("demo")
MOST_PICTURES = 60
WIDTHS = (320, 640, 960, 1280, 1920)
SIZES = "(min-width: 56rem) 44rem, 100vw"

RECIPES = {
    "w160-webp": "small",
    "w320-h180-webp": "cover crop",
    "w180-h180-gsmart-avif": "smart crop, AVIF",
    "w240-h180-contain-bg1c1a17-jpeg": "contained, JPEG",
    "rot90-w120-webp": "rotated",
    "still-w200-png": "first frame, PNG",
    "w200-dpr2-auto": "what the browser likes best, at twice the density",
}
"""Recipe to what it shows."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One original of the demo, and the URLs that show it: recipe to URL without host."""

    name: str
    kept: Uploaded
    urls: dict[str, str]
    srcset: dict[int, str]


async def find_or_create_tenant(library: UploadService) -> Tenant:
    """Give the demo's tenant, made where there is none yet."""
    with suppress(TenantExists):
        await create_tenant(library.database, TENANT)
    return await find_signer(library.database, TENANT)


def find_pictures(folder: Path) -> list[Path]:
    """Give the files of a folder, by name; at most MOST_PICTURES."""
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))[:MOST_PICTURES]


def draw_pictures(folder: Path) -> list[Path]:
    """Draw the demo's own pictures into a folder, where they are not yet."""
    from proxy.pixels.scenes import SCENES  # noqa: PLC0415 - loads libvips, which nothing else here needs

    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in SCENES.items():
        path, part = folder / name, folder / f".{name}.part"
        if not path.exists():
            part.write_bytes(draw())
            part.replace(path)
    return [folder / name for name in SCENES]


async def show_all(
    library: UploadService, paths: list[Path]
) -> AsyncIterator[Shown | tuple[Path, DarkroomError | OSError]]:
    """Take each file in and mint its URLs; a file that is refused is given with its refusal."""
    signer = await find_or_create_tenant(library)
    for path in paths:
        try:
            kept = await library.upload(TENANT, read_file(path), path.name)
        except (DarkroomError, OSError) as refusal:
            yield path, refusal
        else:
            yield _shown(path.name, kept, signer)


def _shown(name: str, kept: Uploaded, signer: Tenant) -> Shown:
    def url(recipe: str) -> str:
        return mint_url("", signer, read_path(f"/t/{TENANT}/{kept.original}/{recipe}"))

    widths = [width for width in WIDTHS if width < kept.width] or [kept.width]
    return Shown(name, kept, {one: url(one) for one in RECIPES}, {width: url(f"w{width}-auto") for width in widths})


def page(shown: list[Shown]) -> str:
    """Give the page `/demo` as HTML; its URLs have no host, so it works behind any name."""
    template = files("catalog.demo").joinpath("demo.html").read_text(encoding="utf-8")
    return Template(template).substitute(sections="\n".join(_section(one) for one in shown))


def _section(one: Shown) -> str:
    name, kept = escape(one.name), one.kept
    srcset = ", ".join(f"{url} {width}w" for width, url in one.srcset.items())
    small = "\n".join(_items(one))
    return f"""  <section>
    <div class="large">
      <h2>{name}<small>{kept.width}×{kept.height}, {kept.media_type}, {kept.size_bytes:,} bytes</small></h2>
      <img src="{escape(next(iter(one.srcset.values())))}" srcset="{escape(srcset)}" sizes="{SIZES}"
           width="{kept.width}" height="{kept.height}" alt="{name}" loading="lazy" decoding="async">
    </div>
    <ul>
{small}
    </ul>
  </section>"""


def _items(one: Shown) -> Iterator[str]:
    for recipe, url in one.urls.items():
        told = escape(f"{one.name}: {RECIPES[recipe]}")
        picture = f'<img src="{escape(url)}" alt="{told}" title="{told}" loading="lazy" decoding="async">'
        yield f'      <li><a href="{escape(url)}">{picture}{escape(recipe)}</a></li>'
