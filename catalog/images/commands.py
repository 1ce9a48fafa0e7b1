"""`darkroom sign` and `darkroom focus`: URLs and focal points; `darkroom images`: list, show and tag images."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, TenantArgument, epilog, read_tenant
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from proxy.core.identifiers import TenantName, digest_name

if TYPE_CHECKING:
    from catalog.images.schemas import ImageView

app = typer.Typer(help="List, show, tag, trash, restore and delete a tenant's images.", no_args_is_help=True)

_ORIGINAL = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_SIGN_EXAMPLES = (
    f"darkroom sign /t/acme/{_ORIGINAL}/w320-h180-webp",
    "darkroom sign PATH --expires 7d",
    "darkroom sign /t/acme/~/w320-webp --source https://img.example.com/cat.jpg",
)
_FOCUS_EXAMPLES = (f"darkroom focus acme {_ORIGINAL} 0.3_0.6", f"darkroom focus acme {_ORIGINAL} 0.5_0.5")


def register(program: typer.Typer) -> None:
    """Add the commands to the program."""
    program.command(epilog=epilog(*_SIGN_EXAMPLES))(sign)
    program.command(epilog=epilog(*_FOCUS_EXAMPLES))(focus)
    program.add_typer(app, name="images")


def read_expires(text: str) -> int:
    """Return the Unix time of an option. Raise BadParameter."""
    from catalog.images.url_builder import read_expiry

    try:
        return read_expiry(text, int(time.time()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_original(text: str) -> str:
    """Return a valid name of an original. Raise BadParameter otherwise."""
    try:
        return digest_name(text)
    except ValueError:
        raise typer.BadParameter("specify the 64 hex digits of an original, as upload prints them") from None


def with_source(path: str, source: str) -> str:
    """Replace a lone `~` in a path with the reference to a source. Raise BadParameter, or MalformedRequest."""
    from proxy.core.url.source_reference import parse_reference, write_reference

    before, tilde, recipe = path.partition("/~/")
    if not tilde:
        raise typer.BadParameter("with --source the path has ~ in place of the original: /t/acme/~/w320-webp")
    return f"{before}/{write_reference(str(parse_reference(source)))}/{recipe}"


def sign(
    path: Annotated[str, typer.Argument(help="/t/{tenant}/{original}/{recipe}, as in a URL.")],
    expires: Annotated[
        int | None,
        typer.Option(parser=read_expires, metavar="WHEN", help="Expiry: 30m, 1h, 7d, or a Unix time."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The source that ~ in the path stands for: s3://… or https://…."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Sign a path with the tenant's newest key and print the URL.

    The path and the recipe are checked first. The focal point of the original (darkroom focus) is written into a cover
    crop whose recipe specifies no position.
    """
    from catalog.images.url_builder import build_url, read_path

    link = read_path(path if source is None else with_source(path, source), expires)
    settings = read_settings()

    from catalog.images.focal_points import find_focal_point
    from catalog.records.schema import open_database
    from catalog.tenants.tenant_repository import find_signer

    async def work() -> str:
        async with open_database(settings) as database:
            signer = await find_signer(database, link.tenant)
            point = await find_focal_point(database, link.tenant, link.digest) if link.digest else None
            return build_url(settings.base_url, signer, link, point)

    url = run(work(), link.tenant)
    if as_json:
        print_json(url=url)
    else:
        print_line(url)


def focus(
    tenant: TenantArgument,
    original: Annotated[str, typer.Argument(parser=read_original, metavar="ORIGINAL", help="Name of the original.")],
    point: Annotated[str, typer.Argument(metavar="X_Y", help="Fractions across and down; 0.5_0.5 removes the point.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Set the focal point of an original and its image: URLs of cover crops that are signed from now on contain it.

    URLs that were signed before do not change.
    """
    from catalog.cli.principal import principal_for
    from catalog.images.focal_points import set_focus
    from catalog.records.schema import open_database

    async def work() -> None:
        async with open_database(read_settings()) as database:
            await set_focus(database, principal_for(tenant), digest_name(original), point)

    run(work(), tenant)
    if as_json:
        print_json(tenant=tenant, original=original, focus=point)
    else:
        print_line(f"Set the focal point of {original} to {point}.")


TenantOption = Annotated[
    str, typer.Option("--tenant", parser=read_tenant, metavar="TENANT", help="Tenant that the images belong to.")
]
ImageArgument = Annotated[str, typer.Argument(metavar="ID", help="The image's id, see images list.")]
EXAMPLE_ID = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


@app.command(
    "list",
    epilog=epilog(
        "darkroom images list --tenant acme", "darkroom images list --tenant acme --search 'garden tag:blue' --json"
    ),
)
def list_(
    tenant: TenantOption,
    search: Annotated[
        str, typer.Option("--search", "-q", help="What to find, such as status:trashed (docs/search.md).")
    ] = "",
    sort: Annotated[str, typer.Option(help="created, name, relevance, …; - before it turns it around.")] = "created",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Images to list.")] = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List a tenant's images: those that a search finds, or all that are not in the trash."""
    from catalog.core.search.parser import parse
    from catalog.images.views import ImageViews
    from catalog.records.schema import open_database
    from catalog.search.orders import ORDERS, read_order
    from catalog.search.service import compile_search, find_images
    from catalog.tenants.tenant_repository import find_signer

    if sort.removeprefix("-") not in ORDERS:
        raise typer.BadParameter(f"--sort is one of {', '.join(ORDERS)}, perhaps with - before it")
    settings = read_settings()

    async def read() -> "list[ImageView]":
        async with open_database(settings) as database:
            views = ImageViews(settings.base_url, await find_signer(database, TenantName(tenant)))
            async with database.reading() as session:
                compiled = await compile_search(session, TenantName(tenant), parse(search))
                found = await find_images(session, compiled, read_order(sort), limit)
                return await views.views(session, found.images)

    images = run(read(), tenant)
    if as_json:
        for image in images:
            print_json(**image.model_dump(mode="json"))
    else:
        print_table(*(_cells(image) for image in images))


@app.command(epilog=epilog(f"darkroom images show --tenant acme {EXAMPLE_ID}"))
def show(tenant: TenantOption, image: ImageArgument, *, as_json: AsJson = False) -> None:
    """Show what is known of an image."""
    from catalog.images.service import find_image
    from catalog.images.views import ImageViews
    from catalog.records.schema import open_database
    from catalog.tenants.tenant_repository import find_signer

    settings = read_settings()

    async def read() -> "ImageView":
        async with open_database(settings) as database:
            views = ImageViews(settings.base_url, await find_signer(database, TenantName(tenant)))
            async with database.reading() as session:
                return await views.view(session, await find_image(session, TenantName(tenant), image))

    document = run(read(), tenant).model_dump(mode="json")
    if as_json:
        print_json(**document)
    else:
        print_table(*document.items())


@app.command(epilog=epilog(f"darkroom images tag --tenant acme {EXAMPLE_ID} --add blue --remove draft"))
def tag(
    tenant: TenantOption,
    image: ImageArgument,
    add: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Tag to add; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="TAG", help="Tag to remove; may be repeated.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Add tags to an image and remove others; without options nothing changes."""
    from dataclasses import replace

    from catalog.core.origin import COMMAND_LINE
    from catalog.images.service import change_description, describe, find_image
    from catalog.images.tags import changed_tags
    from catalog.records.schema import open_database

    principal = principal_for(tenant)

    async def write() -> tuple[str, ...]:
        async with open_database(read_settings()) as database, database.writing() as session:
            row = await find_image(session, principal.tenant, image, lock=True)
            description = await describe(session, row)
            tags = changed_tags(description.tags, add or (), remove or ())
            await change_description(session, principal, COMMAND_LINE, row, replace(description, tags=tags))
            return tags

    tags = run(write(), tenant)
    if as_json:
        print_json(id=image, tags=list(tags))
    else:
        print_line(f"Image {image} has the tags {', '.join(tags)}." if tags else f"Image {image} has no tags.")


def _cells(image: "ImageView") -> tuple[object, ...]:
    """Return a row of the table for people."""
    size = f"{image.width}x{image.height}"
    created = f"created {image.created_at.isoformat(timespec='seconds')}"
    return image.id, image.status, image.file_name or "", image.media_type, size, ",".join(image.tags), created
