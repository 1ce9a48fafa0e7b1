"""`darkroom upload`: files become images."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, epilog, read_tenant
from catalog.cli.exit_codes import Exit, exit_code
from catalog.cli.output import print_error, print_failure, print_json, print_line
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.api_errors import UploadRefused, UploadTooLarge
from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, UnsupportedFormat, WorkerCrashed
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from catalog.core.roles import Principal
    from catalog.records.image import Image
    from catalog.uploads.service import UploadService
    from proxy.core.tenant import Tenant
    from proxy.settings import Settings

RECIPE = "w640-webp"
"""Recipe of the URL that is printed for each file."""

ADVICE: dict[type[DarkroomError], str] = {
    CorruptImage: "Export the file again from its source.",
    UnsupportedFormat: "Convert the file to one of these formats first.",
    WorkerCrashed: "Export the file again, or in another format.",
    LimitExceeded: "Make the image smaller.",
    UploadTooLarge: "Make the file smaller, or raise max_bytes in the tenant's upload rules.",
    UploadRefused: "Convert the file to an accepted format first, or change the tenant's upload rules.",
}
"""Advice by error, subclasses first."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    examples = ("darkroom upload photo.jpg --tenant acme", "darkroom upload *.jpg --tenant acme --json")
    app.command(epilog=epilog(*examples))(upload)


def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Image files.")],
    tenant: Annotated[str, typer.Option(parser=read_tenant, metavar="TENANT", help="Owner of the images.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Store image files as images, and print the names of their originals and their URLs.

    The same bytes uploaded twice are one image. An error is printed for each file that is refused, and the other
    files are uploaded.
    """
    raise typer.Exit(run(_upload_all(read_settings(), TenantName(tenant), files, as_json=as_json), tenant))


async def _upload_all(settings: "Settings", tenant: TenantName, files: list[Path], *, as_json: bool) -> Exit:
    from catalog.tenants.tenant_repository import find_signer

    code, principal = Exit.FINE, principal_for(tenant)
    async with open_upload_service(settings) as uploads:
        signer = await find_signer(uploads.database, tenant)
        for path in files:
            upload = _upload_file(uploads, principal, signer, path, settings.base_url, as_json=as_json)
            code = max(code, await upload)
            if code is Exit.UNAVAILABLE:
                break
    return code


async def _upload_file(  # noqa: PLR0913 - one file of many
    uploads: "UploadService", principal: "Principal", signer: "Tenant", path: Path, base_url: str, *, as_json: bool
) -> Exit:
    from catalog.uploads.service import read_file

    try:
        recorded = await uploads.upload(principal, read_file(path), path.name)
    except DarkroomError as error:
        print_error(error, file=str(path), advice=await advise(uploads, signer.name, error))
        return exit_code(error)
    except OSError as error:
        print_failure(f"Cannot read the file: {error.strerror}.", file=str(path))
        return Exit.REFUSED
    _print(path, recorded.image, signer, base_url, as_json=as_json)
    return Exit.REFUSED if recorded.image.status == "quarantined" else Exit.FINE


async def advise(uploads: "UploadService", tenant: TenantName, error: DarkroomError) -> str | None:
    """Return what to do about a refused file; for an exceeded limit, which setting raises it."""
    from catalog.tenants.rules import how_to_raise

    if isinstance(error, LimitExceeded) and error.limit is not None:
        setting = await how_to_raise(uploads.database, tenant, error.limit, uploads.limits)
        return f"Make it smaller, or raise {setting}" if setting else "Make it smaller: the limit is at its hard cap."
    if isinstance(error, UploadRefused) and (names := _disabled(uploads, error.detail)):
        return f"Set DARKROOM_FORMATS={names[0]} to enable it, or convert the file first."
    return next((advice for kind, advice in ADVICE.items() if isinstance(error, kind)), None)


def _disabled(uploads: "UploadService", detail: str) -> list[str]:
    """Return the formats that a setting would enable, if the refusal is about one."""
    from proxy.core.media.formats import BY_SETTING

    refused = detail.partition(" are not accepted")[0].removeprefix("Files with .").removesuffix(" images")
    return [kind.name for kind in BY_SETTING if kind not in uploads.intake.formats and kind.name == refused]


@asynccontextmanager
async def open_upload_service(settings: "Settings", workers: int = 1) -> "AsyncIterator[UploadService]":
    """Open what uploads need: the database, the stores, the scanner if there is one, and workers without a spare."""
    from catalog.adapters.clamd import scanning_of
    from catalog.records.schema import open_database
    from catalog.tenants.rules import limits_of
    from catalog.uploads.intake import Intake
    from catalog.uploads.service import UploadService
    from proxy.backends import open_backends
    from proxy.core.media.formats import readable
    from proxy.workers.pool import open_pool

    few = settings.model_copy(update={"workers": workers})
    async with (
        open_database(settings) as database,
        open_backends(settings) as backends,
        open_pool(few, spare=False) as pixels,
    ):
        scanning = scanning_of(settings.clamd, backends.quarantine)
        limits, formats = limits_of(settings), readable(settings.formats)
        yield UploadService(Intake(database, backends.originals, pixels, limits, formats, scanning))


def _print(path: Path, image: "Image", signer: "Tenant", base_url: str, *, as_json: bool) -> None:
    from catalog.images.url_builder import build_url, read_path

    url = build_url(base_url, signer, read_path(f"/t/{signer.name}/{image.original}/{RECIPE}"))
    unusual = {} if image.status == "ready" else {"status": image.status, "reason": image.reason}
    if as_json:
        print_json(
            file=str(path),
            original=image.original,
            bytes=image.size_bytes,
            media_type=image.media_type,
            width=image.width,
            height=image.height,
            url=url,
            image=image.id,
            **unusual,
        )
    else:
        print_line(f"{path}  {image.media_type} {image.width}×{image.height}, {image.size_bytes} bytes")
        print_line(f"  {image.original}\n  {url}")
        if unusual:
            print_line(f"  {image.status}: {image.reason}")
