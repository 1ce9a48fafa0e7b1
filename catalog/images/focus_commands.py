"""`darkroom focus`: what an original is about."""

from typing import Annotated

import typer

from catalog.cli.output import AsJson, TenantArgument, ending, read_settings, run, say, say_json
from proxy.core.identifiers import TenantName, digest_name

EXAMPLE = "darkroom focus acme 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(epilog=ending(f"{EXAMPLE} 0.3_0.6", f"{EXAMPLE} 0.5_0.5"))(focus)


def read_original(text: str) -> str:
    """Check an original's name as an argument."""
    try:
        return digest_name(text)
    except ValueError:
        raise typer.BadParameter("an original's name is 64 digits 0-9 and a-f, as upload prints it") from None


def focus(
    tenant: TenantArgument,
    original: Annotated[str, typer.Argument(parser=read_original, metavar="ORIGINAL", help="The original's name.")],
    point: Annotated[str, typer.Argument(metavar="X_Y", help="Fractions across and down; 0.5_0.5 takes it back.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Keep an original's focal point: URLs of cover crops that are minted from now on say it.

    A URL that was minted before keeps its meaning.
    """
    from catalog.images.service import set_focus
    from catalog.records.database import open_database

    async def work() -> None:
        async with open_database(read_settings()) as database:
            await set_focus(database, TenantName(tenant), digest_name(original), point)

    run(work())
    if as_json:
        say_json(tenant=tenant, original=original, focus=point)
    else:
        say(f"The focal point of {original} is {point}.")
