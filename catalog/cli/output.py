"""Output of the commands: lines and tables for people, JSON for scripts, and errors in either form."""

import json
import os
import sys
from typing import TYPE_CHECKING

import typer

from catalog.cli.exit_codes import Exit
from proxy.core.errors import DarkroomError, RecipeError

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE_WIDTH = 10_000
"""Columns of a table: wider than any row, so that no cell is cut to the width of the terminal."""
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "signs": "green", "retired": "dim"}
_CAUSE_LENGTH = 300


class OutputClosed(Exception):
    """The reader of standard output or standard error has closed it."""


def print_line(line: str) -> None:
    """Print a line for people. It is never wrapped, so that it can be copied whole."""
    _write(line + "\n")


def print_table(*rows: tuple[object, ...]) -> None:
    """Print rows in columns that are never cut; cells that hold a state are coloured on a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True, width=TABLE_WIDTH)
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(cell), style=STYLES.get(str(cell), "")) for cell in row))
    with console.capture() as capture:  # Rich ends the process itself if the pipe is closed
        console.print(table, crop=False)
    _write(capture.get(), color=True)


def print_json(**members: object) -> None:
    """Print one object on one line."""
    _write(json.dumps(members, ensure_ascii=False) + "\n")


def print_stderr(line: str) -> None:
    """Print a line to standard error."""
    _write(line + "\n", err=True)


def print_error(error: DarkroomError, *, file: str | None = None, advice: str | None = None) -> None:
    """Print an error to standard error: what is wrong, why, and for a recipe where, with the right spelling.

    With `--json` it is one object: `code`, `title`, `detail`, and where they apply `file`, `cause`, `advice` and the
    members of the problem document (`at`, `fault`, `right`).
    """
    cause = None if error.__cause__ is None else one_line(error.__cause__)
    if is_json():
        optional = {"file": file, "cause": cause, "advice": advice}
        print_json_error(error.code, error.title, str(error), {**optional, **error.members()})
        return
    print_stderr(f"{file or 'darkroom'}: {error.title}: {error}")
    if cause is not None:
        print_stderr(f"    {cause}")
    if isinstance(error, RecipeError):
        for line in error.underlined.splitlines():
            print_stderr(f"    {line}")
        if error.right is not None:
            print_stderr(f"right: {error.right}")
    if advice is not None:
        print_stderr(f"    {advice}")


def print_failure(detail: str, *, file: str | None = None) -> None:
    """Print what failed to standard error, where no `DarkroomError` describes it; the message says what to do."""
    if is_json():
        print_json_error("failed", "Failed", detail, {"file": file})
    else:
        print_stderr(f"{file or 'darkroom'}: {detail}")


def print_json_error(code: str, title: str, detail: str, members: "Mapping[str, object] | None" = None) -> None:
    """Print an error as one JSON object on standard error; members that are None are left out."""
    given = {name: value for name, value in (members or {}).items() if value is not None}
    print_stderr(json.dumps({"code": code, "title": title, "detail": detail, **given}, ensure_ascii=False))


def is_json() -> bool:
    """Return whether the command line has `--json`; read before the arguments are parsed, whose errors need it."""
    words = sys.argv[1:]
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def one_line(error: BaseException) -> str:
    """Return the message of a foreign error as one line of at most 300 characters."""
    message = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return " ".join(message.split())[:_CAUSE_LENGTH]


def exit_quietly() -> None:
    """End the process without output: what is still buffered is discarded."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    sys.exit(Exit.OUTPUT_CLOSED)


def _write(text: str, *, err: bool = False, color: bool | None = None) -> None:
    """Write text as it is, with colours only on a terminal. Raise OutputClosed if the pipe is closed."""
    try:
        typer.echo(text, nl=False, err=err, color=color)
    except BrokenPipeError:
        raise OutputClosed from None
