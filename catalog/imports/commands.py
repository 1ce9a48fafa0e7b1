"""`darkroom import`: the images of a folder."""

import asyncio
import os
import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.arguments import AsJson, epilog, read_tenant
from catalog.cli.exit_codes import Exit, exit_code
from catalog.cli.output import print_error, print_failure, print_json, print_line
from catalog.cli.principal import principal_for
from catalog.cli.settings import read_settings, run
from catalog.uploads.commands import advise, open_upload_service
from proxy.core.errors import DarkroomError
from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog.imports.folder import FileReport
    from catalog.uploads.recording import UploadFields
    from catalog.uploads.service import UploadService
    from proxy.settings import Settings

MOST_JOBS = 32
_USUAL_JOBS = min(4, os.cpu_count() or 1)


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    examples = (
        "darkroom import ~/Pictures --tenant acme --tag archive",
        "darkroom import shop --tenant acme --dry-run",
    )
    app.command("import", epilog=epilog(*examples))(import_folder)


def import_folder(  # noqa: PLR0913 - one parameter per option
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, readable=True, help="Folder of images.")],
    tenant: Annotated[str, typer.Option(parser=read_tenant, metavar="TENANT", help="Owner of the images.")],
    tag: Annotated[list[str] | None, typer.Option(help="Tag of the images; may be repeated.")] = None,
    collection: Annotated[str | None, typer.Option(help="Id or name of the collection of new images.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="Files at once.")] = _USUAL_JOBS,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Examine the files and store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import the images of a folder and of all folders in it.

    Images that are here already are recognised by their bytes, so an import that was interrupted can be started again.
    Hidden files and symbolic links are left out. An error is printed for each file that is refused, and the other files
    are imported.
    """
    settings, outcome = read_settings(), _Outcome(as_json=as_json)
    chosen = _Chosen(TenantName(tenant), tag or [], collection, jobs, dry_run)
    run(_import(settings, folder, chosen, outcome), tenant)
    outcome.summarize(dry_run=dry_run)
    raise typer.Exit(outcome.code)


class _Outcome:
    """Prints what became of each file, and counts it."""

    def __init__(self, *, as_json: bool) -> None:
        self.code = Exit.FINE
        self.as_json = as_json
        self._states: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, report: "FileReport", advice: str | None = None) -> None:
        """Print one file: what was refused as an error; the others only as JSON, as there may be many."""
        state, error = report.state.value, report.error
        if report.status == "quarantined":
            self.code = max(self.code, Exit.REFUSED)
        if isinstance(error, DarkroomError):
            self.code = max(self.code, exit_code(error))
            self._reasons[str(error.members().get("reason") or error.code)] += 1
            print_error(error, file=str(report.path), advice=advice)
        elif error is not None:
            self.code = max(self.code, Exit.REFUSED)
            self._reasons["unreadable"] += 1
            print_failure(f"Cannot read the file: {error.strerror}.", file=str(report.path))
        elif self.as_json:
            image = {"original": report.original, "image": report.image, "status": report.status}
            print_json(file=str(report.path), state=state, **image)
        self._states[state] += 1

    def summarize(self, *, dry_run: bool) -> None:
        """Print the totals for people; a script counts its lines."""
        if self.as_json:
            return
        new, known, refused = (self._states[state] for state in ("new", "known", "refused"))
        would = "Would import" if dry_run else "Imported"
        print_line(f"{would} {new} {'image' if new == 1 else 'images'}; {known} known, {refused} refused.")
        for reason, count in self._reasons.most_common():
            print_line(f"  {count} × {reason}")
        if self.code is Exit.UNAVAILABLE:
            print_line("A backend is out: start the import again later, it goes on from here.")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the command line says."""

    tenant: TenantName
    tags: list[str]
    collection: str | None
    jobs: int
    dry_run: bool


async def _import(settings: "Settings", folder: Path, chosen: _Chosen, outcome: _Outcome) -> None:
    from catalog.imports.folder import FolderImport, walk

    tenant, workers = chosen.tenant, min(chosen.jobs, os.cpu_count() or 1)
    async with open_upload_service(settings, workers) as uploads:
        rules = await uploads.intake.rules_of(tenant)
        fields = await _fields(uploads, chosen)
        principal = principal_for(tenant)
        folder_import = FolderImport(uploads, principal, rules, fields, chosen.jobs, chosen.dry_run)
        seen = not outcome.as_json and sys.stderr.isatty()
        total = await asyncio.to_thread(_count, folder) if seen else 0
        with _bar(total) if seen else nullcontext(_nothing) as advance:

            async def report(file: "FileReport") -> None:
                advice = await advise(uploads, tenant, file.error) if isinstance(file.error, DarkroomError) else None
                outcome.add(file, advice)
                advance()

            await folder_import.run(walk(folder), report)


async def _fields(uploads: "UploadService", chosen: _Chosen) -> "UploadFields":
    """Return the fields of all images. Raise BadParameter, or ResourceNotFound for an unknown collection."""
    from pydantic import ValidationError

    from catalog.imports.service import find_collection_id
    from catalog.uploads.form import upload_fields
    from catalog.uploads.schemas import UploadForm

    identifier = None
    if chosen.collection is not None:
        async with uploads.database.reading() as session:
            identifier = await find_collection_id(session, chosen.tenant, chosen.collection)
    try:
        return upload_fields(UploadForm.model_validate({"tags": chosen.tags, "collection": identifier}))
    except ValidationError as error:
        raise typer.BadParameter(f"--tag: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


@contextmanager
def _bar(total: int) -> "Iterator[Callable[[], None]]":
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Importing", total=total)
        yield lambda: progress.advance(task)


def _nothing() -> None:
    """Show no progress."""


def _count(folder: Path) -> int:
    from catalog.imports.folder import walk

    return sum(1 for _ in walk(folder))
