"""`darkroom preset`: named recipes."""

from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, TenantArgument, epilog
from catalog.cli.output import print_json, print_line, print_table
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.core.origin import COMMAND_LINE
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.presets.service import Preset
    from proxy.core.recipe.presets import Ladder

app = typer.Typer(help="Name recipes; ~card in a URL stands for the recipe of the preset card.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the preset: a-z, 0-9 and _.")]


@app.command(
    epilog=epilog(
        "darkroom preset put acme card w400-h300-gsmart-q85-auto",
        "darkroom preset put acme hero w1280-auto --unsigned --widths 320,640,1280 --dprs 1.5,2",
    )
)
def put(  # noqa: PLR0913 - one parameter per option
    tenant: TenantArgument,
    name: NameArgument,
    recipe: Annotated[str, typer.Argument(help="The recipe, for example w400-h300-auto.")],
    *,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Serve the preset without a seal, as ~NAME and in the sizes below.")
    ] = False,
    widths: Annotated[
        str, typer.Option(metavar="W,W,…", help="Widths that ~NAME-w{W} is served at without a seal.")
    ] = "",
    dprs: Annotated[
        str, typer.Option(metavar="D,D,…", help="Pixel ratios that ~NAME-dpr{D} is served at without a seal.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Create or change a preset; every server applies the change within seconds."""
    from catalog.presets.service import put_preset
    from catalog.records.schema import open_database

    ladder = read_ladder_options(widths, dprs)

    async def work() -> "Preset":
        async with open_database(read_settings()) as database, database.writing() as session:
            return await put_preset(
                session, principal_for(tenant), COMMAND_LINE, name, recipe, unsigned=unsigned, ladder=ladder
            )

    _print([run(work(), tenant)], as_json=as_json)


@app.command("list", epilog=epilog("darkroom preset list acme"))
def list_(tenant: TenantArgument, *, as_json: AsJson = False) -> None:
    """List the presets of a tenant."""
    from catalog.presets.service import list_presets
    from catalog.records.schema import open_database

    async def work() -> "list[Preset]":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await list_presets(session, TenantName(tenant))

    _print(run(work(), tenant), as_json=as_json)


@app.command(epilog=epilog("darkroom preset history acme card"))
def history(tenant: TenantArgument, name: NameArgument, *, as_json: AsJson = False) -> None:
    """List all versions of a preset, the newest first."""
    from catalog.presets.service import list_versions
    from catalog.records.schema import open_database

    async def work() -> "list[Preset]":
        async with open_database(read_settings()) as database, database.reading() as session:
            return await list_versions(session, TenantName(tenant), name)

    _print(run(work(), tenant), as_json=as_json)


@app.command(epilog=epilog("darkroom preset delete acme card"))
def delete(tenant: TenantArgument, name: NameArgument, *, as_json: AsJson = False) -> None:
    """Delete a preset: URLs with it are answered 400 from then on. Its history is kept."""
    from catalog.presets.service import delete_preset
    from catalog.records.schema import open_database

    async def work() -> None:
        async with open_database(read_settings()) as database, database.writing() as session:
            await delete_preset(session, principal_for(tenant), COMMAND_LINE, name)

    run(work(), tenant)
    if as_json:
        print_json(tenant=tenant, preset=name, state="deleted")
    else:
        print_line(f"Deleted preset {name} of tenant {tenant}.")


def read_ladder_options(widths: str, dprs: str) -> "Ladder":
    """Return the ladder of two comma-separated lists. Raise BadParameter, or RecipeError for an invalid number."""
    from proxy.core.recipe.presets import parse_ladder

    try:
        return parse_ladder(_split(widths), _split(dprs))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []


def _print(presets: "Sequence[Preset]", *, as_json: bool) -> None:
    if as_json:
        for preset in presets:
            print_json(
                preset=preset.name,
                version=preset.version,
                recipe=preset.recipe,
                unsigned=preset.unsigned,
                widths=preset.ladder.widths,
                dprs=preset.ladder.dpr_texts,
                created=preset.created_at.isoformat(timespec="seconds"),
            )
    else:
        print_table(*map(_row, presets))


def _row(preset: "Preset") -> tuple[object, ...]:
    sizes = [f"w{width}" for width in preset.ladder.widths] + [f"dpr{dpr}" for dpr in preset.ladder.dpr_texts]
    return (
        f"~{preset.name}",
        preset.recipe or "deleted",
        " ".join(["unsigned", *sizes]) if preset.unsigned else "",
        f"version {preset.version}",
        preset.created_at.isoformat(timespec="seconds"),
    )
