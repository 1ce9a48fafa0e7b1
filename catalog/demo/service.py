"""The demo: a tenant with a few images, and a page that shows what URLs can request of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from catalog.core.errors import TenantExists
from catalog.core.origin import COMMAND_LINE
from catalog.core.roles import Principal, Role
from catalog.images.url_builder import build_url, read_path
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
    "w200-dpr2-auto": "the best format of the browser, at twice the density",
}
"""Recipes and their descriptions."""


@dataclass(frozen=True, slots=True)
class DemoImage:
    """One original of the demo and its URLs."""

    name: str
    uploaded: Uploaded
    urls: dict[str, str]
    """Recipe to URL without a host."""
    srcset: dict[int, str]
    """Width in pixels to URL without a host."""


async def find_or_create_tenant(uploads: UploadService) -> Tenant:
    """Return the tenant of the demo, after creating it if it does not exist."""
    database, owner = uploads.database, Principal("demo", TENANT, Role.OPERATOR)
    with suppress(TenantExists):
        async with database.writing() as session:
            await create_tenant(session, database.cipher, owner, COMMAND_LINE, TENANT)
    return await find_signer(uploads.database, TENANT)


def find_pictures(folder: Path) -> list[Path]:
    """Return the files of a folder, sorted by name; at most MOST_PICTURES."""
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))[:MOST_PICTURES]


def draw_pictures(folder: Path) -> list[Path]:
    """Draw the demo's own images into a folder, unless they exist."""
    from proxy.pixels.scenes import SCENES  # noqa: PLC0415 - loads libvips, which nothing else here needs

    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in SCENES.items():
        path, part = folder / name, folder / f".{name}.part"
        if not path.exists():
            part.write_bytes(draw())
            part.replace(path)
    return [folder / name for name in SCENES]


async def upload_all(
    uploads: UploadService, principal: Principal, paths: list[Path]
) -> AsyncIterator[DemoImage | tuple[Path, DarkroomError | OSError]]:
    """Upload each file and yield it with its URLs, or with the error if it is refused."""
    signer = await find_or_create_tenant(uploads)
    for path in paths:
        try:
            recorded = await uploads.upload(principal, read_file(path), path.name)
        except (DarkroomError, OSError) as error:
            yield path, error
        else:
            yield _demo_image(path.name, Uploaded.of(recorded.image), signer)


def _demo_image(name: str, uploaded: Uploaded, signer: Tenant) -> DemoImage:
    def url(recipe: str) -> str:
        return build_url("", signer, read_path(f"/t/{TENANT}/{uploaded.original}/{recipe}"))

    widths = [width for width in WIDTHS if width < uploaded.width] or [uploaded.width]
    urls = {recipe: url(recipe) for recipe in RECIPES}
    return DemoImage(name, uploaded, urls, {width: url(f"w{width}-auto") for width in widths})


def render_page(images: list[DemoImage]) -> str:
    """Return the HTML of the page `/demo`; its URLs have no host, so it works under any host name."""
    template = files("catalog.demo").joinpath("demo.html").read_text(encoding="utf-8")
    return Template(template).substitute(sections="\n".join(map(_section, images)))


def _section(image: DemoImage) -> str:
    name, uploaded = escape(image.name), image.uploaded
    srcset = ", ".join(f"{url} {width}w" for width, url in image.srcset.items())
    small = "\n".join(_items(image))
    facts = f"{uploaded.width}×{uploaded.height}, {uploaded.media_type}, {uploaded.size_bytes:,} bytes"
    return f"""  <section>
    <div class="large">
      <h2>{name}<small>{facts}</small></h2>
      <img src="{escape(next(iter(image.srcset.values())))}" srcset="{escape(srcset)}" sizes="{SIZES}"
           width="{uploaded.width}" height="{uploaded.height}" alt="{name}" loading="lazy" decoding="async">
    </div>
    <ul>
{small}
    </ul>
  </section>"""


def _items(image: DemoImage) -> Iterator[str]:
    for recipe, url in image.urls.items():
        label = escape(f"{image.name}: {RECIPES[recipe]}")
        picture = f'<img src="{escape(url)}" alt="{label}" title="{label}" loading="lazy" decoding="async">'
        yield f'      <li><a href="{escape(url)}">{picture}{escape(recipe)}</a></li>'
