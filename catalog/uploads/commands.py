"""`darkroom upload`: files become originals."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.output import (
    AsJson,
    Exit,
    complain,
    ending,
    exit_code,
    read_settings,
    read_tenant,
    run,
    say,
    say_error,
    say_json,
)
from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat, WorkerCrashed
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from catalog.uploads.service import Uploaded, UploadService
    from proxy.core.tenant import Tenant
    from proxy.settings import Settings

RECIPE = "w640-webp"
"""Of the URL that is printed, so that there is something to look at."""

ADVICE: dict[type[DarkroomError], str] = {
    CorruptImage: "Export it again from where it came from.",
    UnsupportedFormat: "Convert it to one of these formats first.",
    WorkerCrashed: "Export it again, in another format if need be.",
    LimitExceeded: "Make it smaller.",
}
"""What to do about a file, the narrower refusals first."""


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(epilog=ending("darkroom upload photo.jpg --tenant acme", "darkroom upload *.jpg --tenant acme --json"))(
        upload
    )


def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Pictures to take in.")],
    tenant: Annotated[str, typer.Option(parser=read_tenant, metavar="TENANT", help="Who will own them.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Keep pictures; print their names and URLs.

    The same bytes twice are one original. A file that is refused is told on standard error, and does not stop the
    others.
    """
    raise typer.Exit(run(_upload_all(read_settings(), TenantName(tenant), files, as_json=as_json)))


async def _upload_all(settings: "Settings", tenant: TenantName, files: list[Path], *, as_json: bool) -> Exit:
    code = Exit.FINE
    from catalog.tenants.tenant_repository import find_signer

    async with open_library(settings) as library:
        signer = await find_signer(library.database, tenant)
        for path in files:
            ending_of_one = await _upload_one(library, signer, path, settings.base_url, as_json=as_json)
            code = max(code, ending_of_one)
            if code is Exit.UNAVAILABLE:
                break
    return code


async def _upload_one(library: "UploadService", signer: "Tenant", path: Path, base_url: str, *, as_json: bool) -> Exit:
    from catalog.uploads.service import read_file

    try:
        kept = await library.upload(signer.name, read_file(path), path.name)
    except DarkroomError as refusal:
        complain(refusal, about=str(path))
        if advice := await _advise(library, signer.name, refusal):
            say_error(f"    {advice}")
        return exit_code(refusal)
    except OSError as error:
        say_error(f"{path}: Not read: {error.strerror}: name a file that can be read.")
        return Exit.REFUSED
    _tell(path, kept, signer, base_url, as_json=as_json)
    return Exit.FINE


async def _advise(library: "UploadService", tenant: TenantName, refusal: DarkroomError) -> str | None:
    """Say what to do about a file that was refused; where it is over a limit, which one, and whose that is."""
    from catalog.tenants.rules import how_to_raise

    advice = next((told for kind, told in ADVICE.items() if isinstance(refusal, kind)), None)
    if isinstance(refusal, LimitExceeded) and refusal.limit is not None:
        raised = await how_to_raise(library.database, tenant, refusal.limit, library.limits)
        return f"Make it smaller, or raise {raised}" if raised else "Make it smaller: this limit goes no higher."
    return advice


@asynccontextmanager
async def open_library(settings: "Settings") -> "AsyncIterator[UploadService]":
    """Open all that an upload needs: the database, the store, and one worker to look at the file."""
    from catalog.records.database import open_database
    from catalog.tenants.rules import limits_of
    from catalog.uploads.service import UploadService
    from proxy.backends import open_backends
    from proxy.core.media.formats import readable
    from proxy.workers.pool import open_pool

    alone = settings.model_copy(update={"workers": 1})
    async with open_database(settings) as database, open_backends(settings) as backends, open_pool(alone) as pixels:
        yield UploadService(database, backends.originals, pixels, limits_of(settings), readable(settings.formats))


def _tell(path: Path, kept: "Uploaded", signer: "Tenant", base_url: str, *, as_json: bool) -> None:
    from catalog.images.url_builder import mint_url, read_path

    url = mint_url(base_url, signer, read_path(f"/t/{signer.name}/{kept.original}/{RECIPE}"))
    if as_json:
        say_json(
            original=kept.original,
            bytes=kept.size_bytes,
            media_type=kept.media_type,
            width=kept.width,
            height=kept.height,
            url=url,
        )
    else:
        say(f"{path}  {kept.media_type} {kept.width}×{kept.height}, {kept.size_bytes} bytes")
        say(f"  {kept.original}\n  {url}")
