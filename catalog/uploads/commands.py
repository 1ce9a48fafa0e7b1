"""`darkroom upload`: files become originals."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, epilog, read_tenant
from catalog.cli.exit_codes import Exit, exit_code
from catalog.cli.output import print_error, print_failure, print_json, print_line
from catalog.cli.settings import read_settings, run
from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat, WorkerCrashed
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from catalog.uploads.service import Uploaded, UploadService
    from proxy.core.tenant import Tenant
    from proxy.settings import Settings

RECIPE = "w640-webp"
"""Recipe of the URL that is printed for each file."""

ADVICE: dict[type[DarkroomError], str] = {
    CorruptImage: "Export the file again from its source.",
    UnsupportedFormat: "Convert the file to one of these formats first.",
    WorkerCrashed: "Export the file again, or in another format.",
    LimitExceeded: "Make the image smaller.",
}
"""Advice by error, subclasses first."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    examples = ("darkroom upload photo.jpg --tenant acme", "darkroom upload *.jpg --tenant acme --json")
    app.command(epilog=epilog(*examples))(upload)


def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Image files.")],
    tenant: Annotated[str, typer.Option(parser=read_tenant, metavar="TENANT", help="Owner of the originals.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Store image files as originals, and print their names and URLs.

    The same bytes uploaded twice are one original. An error is printed for each file that is refused, and the other
    files are uploaded.
    """
    raise typer.Exit(run(_upload_all(read_settings(), TenantName(tenant), files, as_json=as_json), tenant))


async def _upload_all(settings: "Settings", tenant: TenantName, files: list[Path], *, as_json: bool) -> Exit:
    from catalog.tenants.tenant_repository import find_signer

    code = Exit.FINE
    async with open_upload_service(settings) as uploads:
        signer = await find_signer(uploads.database, tenant)
        for path in files:
            code = max(code, await _upload_file(uploads, signer, path, settings.base_url, as_json=as_json))
            if code is Exit.UNAVAILABLE:
                break
    return code


async def _upload_file(uploads: "UploadService", signer: "Tenant", path: Path, base_url: str, *, as_json: bool) -> Exit:
    from catalog.uploads.service import read_file

    try:
        uploaded = await uploads.upload(signer.name, read_file(path), path.name)
    except DarkroomError as error:
        print_error(error, file=str(path), advice=await _advise(uploads, signer.name, error))
        return exit_code(error)
    except OSError as error:
        print_failure(f"Cannot read the file: {error.strerror}.", file=str(path))
        return Exit.REFUSED
    _print(path, uploaded, signer, base_url, as_json=as_json)
    return Exit.FINE


async def _advise(uploads: "UploadService", tenant: TenantName, error: DarkroomError) -> str | None:
    """Return what to do about a refused file; for an exceeded limit, which setting raises it."""
    from catalog.tenants.rules import how_to_raise

    if isinstance(error, LimitExceeded) and error.limit is not None:
        setting = await how_to_raise(uploads.database, tenant, error.limit, uploads.limits)
        return f"Make it smaller, or raise {setting}" if setting else "Make it smaller: the limit is at its hard cap."
    return next((advice for kind, advice in ADVICE.items() if isinstance(error, kind)), None)


@asynccontextmanager
async def open_upload_service(settings: "Settings") -> "AsyncIterator[UploadService]":
    """Open what an upload needs: the database, the store, and one worker without a spare."""
    from catalog.records.schema import open_database
    from catalog.tenants.rules import limits_of
    from catalog.uploads.service import UploadService
    from proxy.backends import open_backends
    from proxy.core.media.formats import readable
    from proxy.workers.pool import open_pool

    single = settings.model_copy(update={"workers": 1})
    async with (
        open_database(settings) as database,
        open_backends(settings) as backends,
        open_pool(single, spare=False) as pixels,
    ):
        yield UploadService(database, backends.originals, pixels, limits_of(settings), readable(settings.formats))


def _print(path: Path, uploaded: "Uploaded", signer: "Tenant", base_url: str, *, as_json: bool) -> None:
    from catalog.images.url_builder import build_url, read_path

    url = build_url(base_url, signer, read_path(f"/t/{signer.name}/{uploaded.original}/{RECIPE}"))
    if as_json:
        print_json(
            file=str(path),
            original=uploaded.original,
            bytes=uploaded.size_bytes,
            media_type=uploaded.media_type,
            width=uploaded.width,
            height=uploaded.height,
            url=url,
        )
    else:
        print_line(f"{path}  {uploaded.media_type} {uploaded.width}×{uploaded.height}, {uploaded.size_bytes} bytes")
        print_line(f"  {uploaded.original}\n  {url}")
