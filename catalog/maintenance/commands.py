"""`darkroom doctor`: is everything in order, and what to do where it is not."""

import typer

from catalog.cli.output import AsJson, Exit, ending, read_settings, run, say_json, say_table


def register(app: typer.Typer) -> None:
    """Put the command into the program."""
    app.command(epilog=ending("darkroom doctor", "darkroom doctor --json"))(doctor)


def doctor(*, as_json: AsJson = False) -> None:
    """Check that everything is in order.

    Settings, clock, libvips, sandbox, store, cache and database; each line says what to do when it is wrong. The exit
    code is 1 when one of them fails.
    """
    from catalog.maintenance.doctor import examine

    findings = run(examine(read_settings()))
    if as_json:
        for one in findings:
            say_json(check=one.check, state=one.state, told=one.told, advice=one.advice)
    else:
        advised = ((one, f"{one.told}\n→ {one.advice}" if one.advice else one.told) for one in findings)
        say_table(*((one.state, one.check, told) for one, told in advised))
    raise typer.Exit(Exit.REFUSED if any(one.state == "fail" for one in findings) else Exit.FINE)
