"""`darkroom sign` and `darkroom focus`: URLs of images, and the focal points in them."""

import time
from typing import Annotated

import typer

from catalog.cli.arguments import AsJson, TenantArgument, epilog
from catalog.cli.output import print_json, print_line
from catalog.cli.settings import read_settings, run
from proxy.core.identifiers import TenantName, digest_name

_ORIGINAL = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_SIGN_EXAMPLES = (
    f"darkroom sign /t/acme/{_ORIGINAL}/w320-h180-webp",
    "darkroom sign PATH --expires 7d",
    "darkroom sign /t/acme/~/w320-webp --source https://img.example.com/cat.jpg",
)
_FOCUS_EXAMPLES = (f"darkroom focus acme {_ORIGINAL} 0.3_0.6", f"darkroom focus acme {_ORIGINAL} 0.5_0.5")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog=epilog(*_SIGN_EXAMPLES))(sign)
    app.command(epilog=epilog(*_FOCUS_EXAMPLES))(focus)


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
    """Set the focal point of an original: URLs of cover crops that are signed from now on contain it.

    URLs that were signed before do not change.
    """
    from catalog.images.focal_points import set_focus
    from catalog.records.schema import open_database

    async def work() -> None:
        async with open_database(read_settings()) as database:
            await set_focus(database, TenantName(tenant), digest_name(original), point)

    run(work(), tenant)
    if as_json:
        print_json(tenant=tenant, original=original, focus=point)
    else:
        print_line(f"Set the focal point of {original} to {point}.")
