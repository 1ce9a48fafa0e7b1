"""`darkroom secrets`: the keys that encrypt signing secrets and source credentials in the database."""

import typer

from catalog.cli.arguments import AsJson, epilog
from catalog.cli.output import print_json, print_line
from catalog.cli.settings import read_settings, run

app = typer.Typer(help="Manage the encryption of stored secrets.", no_args_is_help=True)


@app.command(epilog=epilog("darkroom secrets key"))
def key(*, as_json: AsJson = False) -> None:
    """Print a new key for DARKROOM_SECRET_KEYS. Nothing is changed."""
    from catalog.records.encryption import new_key

    created = new_key()
    if as_json:
        print_json(key=created)
    else:
        print_line(created)


@app.command(epilog=epilog("darkroom secrets rotate"))
def rotate(*, as_json: AsJson = False) -> None:
    """Encrypt all stored secrets again with the newest key, after which older keys may be removed.

    Put the new key first in DARKROOM_SECRET_KEYS (or in the file secret.keys of the home folder) and keep the old one
    behind it until this command has run.
    """
    from catalog.records.schema import open_database
    from catalog.secrets.service import Rotated, rotate_secrets

    async def work() -> Rotated:
        async with open_database(read_settings()) as database:
            return await rotate_secrets(database)

    rotated = run(work())
    if as_json:
        print_json(secrets=rotated.secrets, sources=rotated.sources)
    else:
        print_line(f"Encrypted {rotated.secrets} signing secrets and the credentials of {rotated.sources} sources.")
