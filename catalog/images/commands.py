"""`darkroom sign`: a path becomes a URL that is honoured."""

import time
from typing import Annotated

import typer

from catalog.cli.output import AsJson, ending, read_settings, run, say, say_json


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(
        epilog=ending(
            "darkroom sign /t/acme/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/w320-h180-webp",
            "darkroom sign PATH --expires 7d",
            "darkroom sign /t/acme/~/w320-webp --source https://img.example.com/cat.jpg",
        )
    )(sign)


def read_expires(text: str) -> int:
    """Check a moment as an option."""
    from catalog.images.url_builder import read_expiry

    try:
        return read_expiry(text, int(time.time()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def refer(path: str, source: str) -> str:
    """Put a source's address, checked, in the place of a lone `~`."""
    from proxy.core.url.source_reference import parse_reference, write_reference

    before, mark, recipe = path.partition("/~/")
    if not mark:
        raise typer.BadParameter("with --source the path has ~ for the original: /t/acme/~/w320-webp")
    return f"{before}/{write_reference(str(parse_reference(source)))}/{recipe}"


def sign(
    path: Annotated[str, typer.Argument(help="/t/{tenant}/{original}/{recipe}, as in a URL.")],
    expires: Annotated[
        int | None,
        typer.Option(parser=read_expires, metavar="WHEN", help="How long it is good: 30m, 1h, 7d, or a Unix time."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="What ~ in the path stands for: s3://… or https://….")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Seal a path, print the URL.

    The tenant's newest key seals it. What is wrong with the path or the recipe is said instead. Where the
    original has a focal point (darkroom focus), a cover crop whose place the recipe leaves open says it.
    """
    from catalog.images.url_builder import mint_url, read_path

    link = read_path(path if source is None else refer(path, source), expires)
    settings = read_settings()

    from catalog.images.service import find_subject
    from catalog.records.database import open_database
    from catalog.tenants.tenant_repository import find_signer

    async def work() -> str:
        async with open_database(settings) as database:
            signer = await find_signer(database, link.tenant)
            subject = await find_subject(database, link.tenant, link.digest) if link.digest else None
            return mint_url(settings.base_url, signer, link, subject)

    url = run(work())
    if as_json:
        say_json(url=url)
    else:
        say(url)
