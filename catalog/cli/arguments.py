"""Arguments and options that several commands share."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from catalog.cli.exit_codes import EXIT_CODES
from catalog.core.spans import UNIT_SECONDS
from proxy.core.identifiers import tenant_name

LONGEST_SECRET_INPUT = 65_536
"""Bytes that are read from a file or from standard input for one secret."""
SECRET_FORMS = "env:VARIABLE, file:PATH and - (standard input) keep it out of the process list"  # noqa: S105 - a help text


def read_tenant(text: str) -> str:
    """Return a valid tenant name. Raise BadParameter otherwise."""
    try:
        return tenant_name(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def read_secret(text: str) -> str:
    """Return the secret that an option names: `env:VARIABLE`, `file:PATH`, `-` for standard input, or the text itself.

    One trailing newline of a file or of standard input is removed. Raise BadParameter if the secret cannot be read.
    """
    if text == "-":
        return _without_newline(sys.stdin.read(LONGEST_SECRET_INPUT))
    scheme, _, name = text.partition(":")
    if scheme == "env":
        if name not in os.environ:
            raise typer.BadParameter(f"the environment has no variable {name}")
        return os.environ[name]
    if scheme == "file":
        try:
            with Path(name).open(encoding="utf-8") as file:
                return _without_newline(file.read(LONGEST_SECRET_INPUT))
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"cannot read {name}: {error}") from None
    return text


def read_span(text: str) -> int:
    """Return the seconds of a span such as 90s, 30m, 1h or 7d. Raise BadParameter otherwise."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNIT_SECONDS or not (number.isascii() and number.isdigit() and len(number) < 10):  # noqa: PLR2004 - digits
        raise typer.BadParameter("specify a span such as 90s, 30m, 1h or 7d")
    return int(number) * UNIT_SECONDS[unit]


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def epilog(*examples: str) -> str:
    """Return the end of a help text: the examples and the exit codes."""
    return "\n\n".join([*(f"Example: {example}" for example in examples), EXIT_CODES])


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line; errors too, on standard error.")]
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", parser=read_tenant, help="Name of the tenant.")]
