"""The `darkroom` command: one file a noun, and `main`, where everything expected that goes wrong becomes a sentence.

Exit codes: 0 fine; 1 something was refused or failed; 2 usage or settings; 3 a backend does not answer. Where nobody
reads what a command prints (`| head -1`), it ends quietly with 141, as tools do that SIGPIPE ends: the signal itself
stays ignored, for it would end a server whose client has left.

Starting must be quick, because scripts call this in loops: SQLModel, Alembic and the S3 client together take seconds
to import. So the files of this folder import at their top only what costs little, and the rest inside the command that
needs it.
"""

import sys
from typing import Annotated

import typer

from catalog.cli import serve
from catalog.cli.output import EXIT_CODES, Unheard, complain, exit_code, expected, hang_up, say, say_error
from catalog.demo import commands as demo
from catalog.images import commands as sign
from catalog.images import focus_commands as focus
from catalog.keys import commands as key
from catalog.maintenance import cleanup_commands as cleanup
from catalog.maintenance import commands as doctor
from catalog.maintenance import migrate_commands as migrate
from catalog.presets import commands as preset
from catalog.sources import commands as source
from catalog.tenants import commands as tenant
from catalog.uploads import commands as upload
from catalog.watermarks import commands as watermark
from proxy.core.errors import DarkroomError


def tell_version(asked: bool) -> None:  # noqa: FBT001 - typer's own signature
    """Print the version and end, where it is asked for."""
    if asked:
        from importlib.metadata import version

        say(f"darkroom {version('darkroom-images')}")
        raise typer.Exit


app = typer.Typer(
    name="darkroom",
    help="Darkroom keeps originals and develops pictures from them on the fly.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: Rich's takes three times as long to start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
serve.register(app)
upload.register(app)
sign.register(app)
focus.register(app)
app.add_typer(tenant.app, name="tenant")
app.add_typer(key.app, name="key")
app.add_typer(preset.app, name="preset")
app.add_typer(watermark.app, name="watermark")
app.add_typer(source.app, name="source")
migrate.register(app)
app.add_typer(cleanup.app, name="cleanup")
doctor.register(app)
demo.register(app)


@app.callback()
def darkroom(
    _: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=tell_version)
    ] = False,
) -> None:
    """Darkroom keeps originals and develops pictures from them on the fly."""


def main() -> None:
    """Run the command line; the process's exit code is the answer."""
    try:
        _answer()
    except Unheard:
        hang_up()


def _answer() -> None:
    try:
        app()
    except Unheard:
        raise
    except DarkroomError as refusal:
        complain(refusal)
        sys.exit(exit_code(refusal))
    except Exception as error:
        if (code := expected(error)) is None:
            raise
        say_error(f"darkroom: {error}")
        sys.exit(code)
