"""`darkroom images`: images of a tenant, examined anew."""

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, epilog, read_tenant
from catalog.cli.exit_codes import Exit, exit_code
from catalog.cli.output import print_error, print_json, print_line
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from proxy.core.errors import DarkroomError
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from catalog.records.database import Database
    from proxy.ports import Originals, Pixels
    from proxy.settings import Settings

_PAGE = 200
_EXAMPLES = (
    "darkroom images reprocess --tenant acme 019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "darkroom images reprocess --tenant acme --all --json",
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What reprocessing needs."""

    database: "Database"
    originals: "Originals"
    pixels: "Pixels"


def register(images: typer.Typer) -> None:
    """Add the command to `darkroom images`."""
    images.command(epilog=epilog(*_EXAMPLES))(reprocess)


def reprocess(
    tenant: Annotated[str, typer.Option(parser=read_tenant, metavar="TENANT", help="Owner of the images.")],
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Ids of images.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All images that are ready.")] = False,
    as_json: AsJson = False,
) -> None:
    """Examine stored originals anew, as after an upgrade, and make their optimised versions again.

    Facts, colours, quality, perceptual hash and placeholder are renewed; what people say about an image stays. The
    optimised versions are made by the workers, as after an upload. An error is printed for each image that cannot be
    examined, and the others go on.
    """
    if bool(ids) == every:
        raise typer.BadParameter("specify ids of images, or --all")
    raise typer.Exit(run(_reprocess(read_settings(), TenantName(tenant), ids or [], as_json=as_json), tenant))


async def _reprocess(settings: "Settings", tenant: TenantName, ids: "Sequence[str]", *, as_json: bool) -> Exit:
    from catalog.records.tenant_lock import get_tenant

    code = Exit.FINE
    async with _open(settings) as parts:
        async with parts.database.reading() as session:
            await get_tenant(session, tenant)
        async for identifier in _identifiers(parts.database, tenant, ids):
            code = max(code, await _reprocess_one(parts, tenant, identifier, as_json=as_json))
            if code is Exit.UNAVAILABLE:
                break
    return code


async def _reprocess_one(parts: _Parts, tenant: TenantName, identifier: str, *, as_json: bool) -> Exit:
    from catalog.core.origin import COMMAND_LINE
    from catalog.pipeline.service import reprocess as reprocess_image

    principal = principal_for(tenant)
    try:
        changed = await reprocess_image(
            parts.database, parts.originals, parts.pixels, principal, COMMAND_LINE, identifier
        )
    except DarkroomError as error:
        print_error(error, file=identifier)
        return exit_code(error)
    if as_json:
        print_json(image=identifier, changed=changed)
    else:
        print_line(f"{identifier}  {'changed' if changed else 'as before'}")
    return Exit.FINE


async def _identifiers(database: "Database", tenant: TenantName, ids: "Sequence[str]") -> "AsyncIterator[str]":
    """Yield the given ids; without any, those of all images, read in pages so that changes meanwhile do no harm."""
    from catalog.pipeline.service import list_identifiers

    for identifier in ids:
        yield identifier
    after: str | None = None
    while not ids:
        async with database.reading() as session:
            page = await list_identifiers(session, tenant, _PAGE, after)
        for identifier in page:
            yield identifier
        if len(page) < _PAGE:
            return
        after = page[-1]


@asynccontextmanager
async def _open(settings: "Settings") -> "AsyncIterator[_Parts]":
    """Open the database, the store, and one worker without a spare."""
    from catalog.records.schema import open_database
    from proxy.backends import open_backends
    from proxy.workers.pool import open_pool

    single = settings.model_copy(update={"workers": 1})
    async with (
        open_database(settings) as database,
        open_backends(settings) as backends,
        open_pool(single, spare=False) as pixels,
    ):
        yield _Parts(database, backends.originals, pixels)
