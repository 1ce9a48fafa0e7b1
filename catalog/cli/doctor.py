"""`darkroom doctor`: is everything in order, and what to do where it is not."""

import typer

from catalog.cli.shell import AsJson, Exit, ending, read_settings, run, say, say_json


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(epilog=ending("darkroom doctor", "darkroom doctor --json"))(doctor)


def doctor(*, as_json: AsJson = False) -> None:
    """Check settings, clock, libvips, sandbox, store, cache and database; exit code 1 when one of them fails."""
    from catalog.doctor import examine

    findings = run(examine(read_settings()))
    for one in findings:
        if as_json:
            say_json(check=one.check, state=one.state, told=one.told, advice=one.advice)
        else:
            say(f"{one.state:4}  {one.check:8}  {one.told}" + (f"\n{'':16}→ {one.advice}" if one.advice else ""))
    raise typer.Exit(Exit.REFUSED if any(one.state == "fail" for one in findings) else Exit.FINE)
