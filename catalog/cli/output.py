"""What all commands share: reading settings, speaking to people and to scripts, and exit codes."""

import json
import os
import signal
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from proxy.core.errors import DarkroomError, DeadlineExceeded, RecipeError, Unavailable
from proxy.core.identifiers import tenant_name

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from proxy.settings import Settings

Result = TypeVar("Result")

EXIT_CODES = "Exit codes: 0 fine, 1 something was refused or failed, 2 usage or settings, 3 a backend is unavailable."


WIDEST = 10_000
"""Columns of a table: more than any line needs, so that none is cut, whatever the terminal's width."""
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "signs": "green", "retired": "dim"}


class Exit(IntEnum):
    """How a process ends."""

    FINE = 0
    REFUSED = 1
    USAGE = 2
    UNAVAILABLE = 3
    UNHEARD = 128 + signal.SIGPIPE
    """What a shell tells of a tool that wrote into a pipe nobody reads any more."""


class Unheard(Exception):
    """Nobody reads what is printed: the command ends, and what it has open is closed."""


def read_tenant(text: str) -> str:
    """Check a tenant's name as an argument."""
    try:
        return tenant_name(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, for scripts.")]
TenantArgument = Annotated[str, typer.Argument(metavar="TENANT", parser=read_tenant, help="The tenant's name.")]


def ending(*examples: str) -> str:
    """Give a help text's end: examples, and the exit codes."""
    return "\n\n".join([*(f"Example: {one}" for one in examples), EXIT_CODES])


def read_settings(**chosen: object) -> "Settings":
    """Read the settings from the environment, some of them overruled on the command line; exits with USAGE."""
    from pydantic import ValidationError

    from proxy.settings import Settings

    try:
        return Settings(**{name: value for name, value in chosen.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(["DARKROOM", *map(str, fault["loc"])]).upper()
            told = fault["msg"].removeprefix("Value error, ")
            say_error(f"{name}: {told}; docs/settings.md tells what it may be.")
        raise typer.Exit(Exit.USAGE) from None


def run(work: "Coroutine[Any, Any, Result]") -> Result:
    """Run a command's asynchronous part to its end."""
    import asyncio

    return asyncio.run(work)


def say(line: str) -> None:
    """Print a line for people; never wrapped, so that what is copied from it is whole."""
    _print(line + "\n")


def say_table(*rows: tuple[object, ...]) -> None:
    """Print rows for people in columns that are never cut; the states among the cells are coloured on a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True, width=WIDEST)
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(cell), style=STYLES.get(str(cell), "")) for cell in row))
    with console.capture() as drawn:  # Rich itself would end the process where the pipe is closed
        console.print(table, crop=False)
    _print(drawn.get(), color=True)


def say_json(**members: object) -> None:
    """Print one object on one line."""
    _print(json.dumps(members, ensure_ascii=False) + "\n")


def say_error(line: str) -> None:
    """Print a line to standard error."""
    _print(line + "\n", err=True)


def _print(text: str, *, err: bool = False, color: bool | None = None) -> None:
    """Print as it is, colours on a terminal alone unless told; Unheard where nobody reads it."""
    try:
        typer.echo(text, nl=False, err=err, color=color)
    except BrokenPipeError:
        raise Unheard from None


def hang_up() -> None:
    """End the process without a word: what is still to be flushed goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.exit(Exit.UNHEARD)


def complain(refusal: DarkroomError, about: str = "darkroom") -> None:
    """Say what was refused, why, and for a recipe where the fault is and what would be right."""
    say_error(f"{about}: {refusal.title}: {refusal}")
    if refusal.__cause__ is not None:
        say_error(f"    {one_line(refusal.__cause__)}")
    if isinstance(refusal, RecipeError):
        for line in refusal.underlined.splitlines():
            say_error(f"    {line}")
        if refusal.right is not None:
            say_error(f"right: {refusal.right}")


def one_line(error: BaseException) -> str:
    """Give what a foreign error says, in one line."""
    said = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return " ".join(said.split())[:300]


def exit_code(refusal: DarkroomError) -> Exit:
    """Tell how a process ends that met this refusal."""
    from catalog.core.errors import Misconfigured

    if isinstance(refusal, Misconfigured):
        return Exit.USAGE
    out = isinstance(refusal, Unavailable) and not isinstance(refusal, DeadlineExceeded)
    return Exit.UNAVAILABLE if out else Exit.REFUSED


def expected(error: Exception) -> Exit | None:
    """Tell how a process ends that met an error which is a sentence for the operator; None for any other."""
    from proxy.backends import SettingError
    from proxy.workers.process import WorkerStartError

    if isinstance(error, SettingError):
        return Exit.USAGE
    return Exit.UNAVAILABLE if isinstance(error, WorkerStartError) else None
