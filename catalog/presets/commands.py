"""`darkroom preset`: recipes that have a name."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.output import AsJson, TenantArgument, ending, read_settings, run, say, say_json, say_table
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.presets.service import Preset

app = typer.Typer(help="Name recipes; ~card in a URL stands for one.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The preset's name: a-z, 0-9 and _.")]


@app.command(epilog=ending("darkroom preset put acme card w400-h300-gsmart-q85-auto"))
def put(
    tenant: TenantArgument,
    name: NameArgument,
    recipe: Annotated[str, typer.Argument(help="What it stands for, for example w400-h300-auto.")],
    *,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Serve it without a seal, alone, to anybody.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a preset, or change what it stands for; every server follows within seconds."""
    from catalog.presets.service import put_preset
    from catalog.records.database import open_database

    async def work() -> "Preset":
        async with open_database(read_settings()) as database:
            return await put_preset(database, TenantName(tenant), name, recipe, unsigned=unsigned)

    _tell([run(work())], as_json=as_json)


@app.command("list", epilog=ending("darkroom preset list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List a tenant's presets."""
    from catalog.presets.service import list_presets
    from catalog.records.database import open_database

    async def work() -> "list[Preset]":
        async with open_database(read_settings()) as database:
            return await list_presets(database, TenantName(tenant))

    _tell(run(work()), as_json=as_json)


@app.command(epilog=ending("darkroom preset history acme card"))
def history(tenant: TenantArgument, name: NameArgument, *, as_json: AsJson = False) -> None:
    """List all versions of a preset, the newest first."""
    from catalog.presets.service import list_versions
    from catalog.records.database import open_database

    async def work() -> "list[Preset]":
        async with open_database(read_settings()) as database:
            return await list_versions(database, TenantName(tenant), name)

    _tell(run(work()), as_json=as_json)


@app.command(epilog=ending("darkroom preset delete acme card"))
def delete(tenant: TenantArgument, name: NameArgument, *, as_json: AsJson = False) -> None:
    """Delete a preset: URLs with it are answered 400 from then on; its history stays."""
    from catalog.presets.service import delete_preset
    from catalog.records.database import open_database

    async def work() -> None:
        async with open_database(read_settings()) as database:
            await delete_preset(database, TenantName(tenant), name)

    run(work())
    if as_json:
        say_json(tenant=tenant, preset=name, state="deleted")
    else:
        say(f"Preset {name} of tenant {tenant} is deleted.")


def _tell(presets: "Sequence[Preset]", *, as_json: bool) -> None:
    if as_json:
        for one in presets:
            say_json(
                preset=one.name,
                version=one.version,
                recipe=one.recipe,
                unsigned=one.unsigned,
                created=one.created_at.isoformat(timespec="seconds"),
            )
    else:
        say_table(
            *(
                (
                    f"~{one.name}",
                    one.recipe or "deleted",
                    "unsigned" if one.unsigned else "",
                    f"version {one.version}",
                    one.created_at.isoformat(timespec="seconds"),
                )
                for one in presets
            )
        )
