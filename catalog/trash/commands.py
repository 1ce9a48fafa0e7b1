"""`darkroom images trash|restore|delete`: images go, and come back."""

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from catalog.cli.arguments import AsJson, epilog
from catalog.cli.output import print_json, print_line
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.images.commands import EXAMPLE_ID, ImageArgument, TenantOption

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Result = TypeVar("Result")

Force = Annotated[bool, typer.Option("--force", help="Also if entities use the image: it is unlinked from them.")]


def register(images: typer.Typer) -> None:
    """Add the commands to `darkroom images`."""
    images.command(epilog=epilog(f"darkroom images trash --tenant acme {EXAMPLE_ID}"))(trash)
    images.command(epilog=epilog(f"darkroom images restore --tenant acme {EXAMPLE_ID}"))(restore)
    images.command(epilog=epilog(f"darkroom images delete --tenant acme {EXAMPLE_ID}"))(delete)


def trash(tenant: TenantOption, image: ImageArgument, *, force: Force = False, as_json: AsJson = False) -> None:
    """Put an image into the trash: within five seconds its URLs answer 404."""
    from catalog.trash.service import trash_image

    status, _ = _change(tenant, image, trash_image, force=force)
    _print(image, status, "is in the trash", as_json=as_json)


def restore(tenant: TenantOption, image: ImageArgument, *, as_json: AsJson = False) -> None:
    """Take an image out of the trash: within five seconds its URLs work again."""
    from catalog.trash.service import restore_image

    status, _ = _change(tenant, image, restore_image)
    _print(image, status, "is not in the trash", as_json=as_json)


def delete(tenant: TenantOption, image: ImageArgument, *, force: Force = False, as_json: AsJson = False) -> None:
    """Delete an image for good. A job deletes its bytes; a server or darkroom work runs it."""
    from catalog.trash.deletion import delete_image

    _, job = _change(tenant, image, delete_image, force=force)
    if as_json:
        print_json(id=image, job=job.id)
    else:
        print_line(f"Deleted image {image}. Job {job.id} deletes its bytes.")


def _change(
    tenant: str, image: str, change: "Callable[..., Awaitable[Result]]", **options: bool
) -> "tuple[str, Result]":
    """Make a change of the locked image, in one transaction; return the image's status and what the change returns."""
    from catalog.core.origin import COMMAND_LINE
    from catalog.records.schema import open_database
    from catalog.trash.service import lock_image

    principal = principal_for(tenant)

    async def write() -> "tuple[str, Result]":
        async with open_database(read_settings()) as database, database.writing() as session:
            row = await lock_image(session, principal, image)
            result = await change(session, principal, COMMAND_LINE, row, **options)
            return row.status, result

    return run(write(), tenant)


def _print(image: str, status: str, outcome: str, *, as_json: bool) -> None:
    if as_json:
        print_json(id=image, status=status)
    else:
        print_line(f"Image {image} {outcome}.")
