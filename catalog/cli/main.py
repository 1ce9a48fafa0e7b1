"""The `darkroom` command: one command file per noun, and `main`, which turns every expected error into a message.

Exit codes: 0 success; 1 refused or failed; 2 wrong usage or settings; 3 a backend is unavailable. If the reader closes
the output (`| head -1`), the command ends with 141 and without a message, like a tool that SIGPIPE ends. The signal
itself stays ignored, because it would end a server whose client has disconnected.

A command must start quickly, because scripts call it in loops, and importing SQLModel, Alembic and the S3 client takes
seconds. The command files therefore import only cheap modules at the top, and all others in the function that uses
them.
"""

import sys
from typing import Annotated

import typer

from catalog.cleanup import commands as cleanup
from catalog.cli import openapi, serve, work
from catalog.cli.exit_codes import EXIT_CODES, Exit, exit_code, expected_exit_code
from catalog.cli.output import (
    OutputClosed,
    exit_quietly,
    is_json,
    print_error,
    print_failure,
    print_json_error,
    print_line,
)
from catalog.demo import commands as demo
from catalog.images import commands as images
from catalog.imports import commands as imports
from catalog.jobs import commands as jobs
from catalog.keys import commands as key
from catalog.maintenance import commands as maintenance
from catalog.pipeline import commands as pipeline
from catalog.presets import commands as preset
from catalog.search import commands as search
from catalog.secrets import commands as secrets
from catalog.sources import commands as source
from catalog.tenants import commands as tenant
from catalog.tokens import commands as token
from catalog.trash import commands as trash
from catalog.uploads import commands as upload
from catalog.watermarks import commands as watermark
from proxy.core.errors import DarkroomError


def print_version(requested: bool) -> None:  # noqa: FBT001 - the signature of a typer callback
    """Print the version and exit, if it is requested."""
    if requested:
        from importlib.metadata import version

        print_line(f"darkroom {version('darkroom-images')}")
        raise typer.Exit


app = typer.Typer(
    name="darkroom",
    help="Darkroom stores original images and serves resized and transformed versions of them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich's help takes three times as long to start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
serve.register(app)
work.register(app)
openapi.register(app)
upload.register(app)
imports.register(app)
images.register(app)
trash.register(images.app)
pipeline.register(images.app)
app.add_typer(images.app, name="images")
app.add_typer(tenant.app, name="tenant")
app.add_typer(key.app, name="key")
app.add_typer(token.app, name="token")
app.add_typer(jobs.app, name="jobs")
app.add_typer(preset.app, name="preset")
app.add_typer(watermark.app, name="watermark")
app.add_typer(source.app, name="source")
app.add_typer(search.app, name="search")
app.add_typer(secrets.app, name="secrets")
app.add_typer(cleanup.app, name="cleanup")
maintenance.register(app)
demo.register(app)


@app.callback()
def darkroom(
    _: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Darkroom stores original images and serves resized and transformed versions of them."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        sys.exit(_run())
    except OutputClosed:
        exit_quietly()


def _run() -> int:
    """Run the command and return its exit code; expected errors are printed."""
    try:
        # Outside its standalone mode typer raises usage errors instead of printing them as text.
        return int(app(standalone_mode=not is_json()) or 0)
    except OutputClosed:
        raise
    except typer.Abort:
        return Exit.REFUSED
    except typer.TyperException as error:
        print_json_error("usage", "Wrong usage", error.format_message())
        return error.exit_code
    except DarkroomError as error:
        print_error(error)
        return exit_code(error)
    except Exception as error:
        if (code := expected_exit_code(error)) is None:
            raise
        print_failure(str(error))
        return code
