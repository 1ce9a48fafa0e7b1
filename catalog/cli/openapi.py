"""`darkroom openapi`: the description of the API, for generators of clients and for the documentation."""

from typing import Annotated

import typer

from catalog.cli.arguments import epilog
from catalog.cli.output import print_line


def register(app: typer.Typer) -> None:
    """Add the command to `darkroom`."""
    app.command(epilog=epilog("darkroom openapi > openapi.json", "darkroom openapi --markdown > docs/api.md"))(openapi)


def openapi(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a page to read instead of JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Print the OpenAPI document of the API. No server, database or settings are needed."""
    from catalog.api.markdown import render
    from catalog.management import create_application

    application = create_application()
    print_line(render(application.document).rstrip() if markdown else application.document_bytes.decode())
