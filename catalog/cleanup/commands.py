"""`darkroom cleanup`: deletion of what nothing needs any more."""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, epilog
from catalog.cli.output import print_json, print_line
from catalog.cli.settings import read_settings, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from catalog.cleanup.service import CleanedFolder

app = typer.Typer(help="Delete what nothing needs any more.", no_args_is_help=True)


@app.callback()
def cleanup() -> None:
    """Delete what nothing needs any more."""


def read_version(text: str) -> str:
    """Check a renderer version as an option."""
    from proxy.core.identifiers import RENDERER_VERSION

    if not RENDERER_VERSION.fullmatch(text):
        raise typer.BadParameter(f"{text[:80]!r} is not a renderer version; darkroom doctor prints the current one")
    return text


@app.command(epilog=epilog("darkroom cleanup derivatives --dry-run", "darkroom cleanup derivatives --keep 5-8.18.7"))
def derivatives(
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VERSION",
            parser=read_version,
            help="Renderer version that servers use; repeat the option for several. Default: this installation's.",
        ),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and delete nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete stored derivatives that no request can reach any more.

    Those of other renderer versions, of cache epochs before a purge, and of tenants that do not exist. Originals are
    never deleted. Safe to run while servers run, to interrupt and to repeat.
    """

    async def work() -> None:
        count = size_bytes = 0
        async with _cleaning(keep or [], dry_run=dry_run) as folders:
            async for folder in folders:
                count, size_bytes = count + folder.deleted.count, size_bytes + folder.deleted.size_bytes
                _report(folder, dry_run=dry_run, as_json=as_json)
        if not as_json:
            print_line(f"{'Would delete' if dry_run else 'Deleted'} {count} derivatives with {size_bytes} bytes.")

    run(work())


@asynccontextmanager
async def _cleaning(keep: list[str], *, dry_run: bool) -> "AsyncIterator[AsyncIterator[CleanedFolder]]":
    from catalog.cleanup.service import clean_derivatives, find_renderer_version
    from catalog.records.schema import open_database
    from proxy.backends import open_backends

    settings = read_settings()
    async with open_database(settings) as database, open_backends(settings) as backends:
        kept_versions = keep or [await find_renderer_version(settings)]
        yield clean_derivatives(backends.derivative_store, database, kept_versions, dry_run=dry_run)


def _report(cleaned: "CleanedFolder", *, dry_run: bool, as_json: bool) -> None:
    count, size_bytes = cleaned.deleted.count, cleaned.deleted.size_bytes
    if as_json:
        state = "unreachable" if dry_run else "deleted"
        print_json(folder=cleaned.folder, reason=cleaned.reason, derivatives=count, size_bytes=size_bytes, state=state)
    else:
        print_line(f"{cleaned.folder}: {count} derivatives with {size_bytes} bytes (old or unknown {cleaned.reason})")
