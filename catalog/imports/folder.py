"""Folders of this machine: which of their files an import takes, and what becomes of each.

A file that is here already is recognised by its SHA-256: it is read once and neither decoded nor stored. So an import
that was killed goes on where it stopped when it is started again, and nothing has to remember how far it came.
"""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import IO

from catalog.core.api_errors import UploadTooLarge
from catalog.core.origin import COMMAND_LINE
from catalog.core.roles import Principal
from catalog.core.upload_rules import Candidate
from catalog.images.service import describe, find_by_original
from catalog.records.image import Image
from catalog.uploads.intake import IntakeRules
from catalog.uploads.recording import UploadFields, add_upload
from catalog.uploads.service import CHUNK_BYTES, UploadService, read_open_file, stage
from proxy.core.errors import DarkroomError, DeadlineExceeded, Unavailable
from proxy.core.identifiers import Digest
from proxy.delivery.staging import StagedFile


class FileState(Enum):
    """What became of a file."""

    NEW = "new"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file; in a dry run, what would become of it."""

    path: Path
    state: FileState
    original: Digest | None = None
    image: str | None = None
    status: str | None = None
    """Of the image."""
    error: DarkroomError | OSError | None = None


def walk(folder: Path) -> Iterator[Path | OSError]:
    """Yield the regular files below a folder in the order of their names, or the error of a folder below it.

    Hidden files and folders are left out, and so are symbolic links: what they lead to is in the tree and is found
    there, or is not in the tree.
    """
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                visible = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
                yield from (Path(entry.path) for entry in visible if entry.is_file(follow_symlinks=False))
                folders = [Path(entry.path) for entry in visible if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            yield error
            continue
        pending += reversed(folders)


@dataclass(slots=True)
class FolderImport:
    """Imports the files of a folder, `jobs` at once."""

    uploads: UploadService
    principal: Principal
    rules: IntakeRules
    fields: UploadFields
    jobs: int = 1
    dry_run: bool = False
    stopped: Unavailable | None = None
    """The error of a backend that was out; no further file was begun then."""

    async def run(self, files: Iterator[Path | OSError], report: Callable[[FileReport], Awaitable[None]]) -> None:
        """Take all files, and report each as it is done."""
        turn = asyncio.Lock()

        async def work() -> None:
            while self.stopped is None:
                async with turn:
                    found = await asyncio.to_thread(next, files, None)
                if found is None:
                    return
                await report(await self.take(found))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.jobs):
                tasks.create_task(work())

    async def take(self, found: Path | OSError) -> FileReport:
        """Import one file, or find out that it is here already."""
        if isinstance(found, OSError):
            return FileReport(Path(str(found.filename)), FileState.REFUSED, error=found)
        try:
            with await asyncio.to_thread(_open, found) as file:
                return await self._take(found, file)
        except (DarkroomError, OSError) as error:
            if isinstance(error, Unavailable) and not isinstance(error, DeadlineExceeded):
                self.stopped = error
            return FileReport(found, FileState.REFUSED, error=error)

    async def _take(self, path: Path, file: IO[bytes]) -> FileReport:
        size_bytes, most = os.fstat(file.fileno()).st_size, self.rules.staging_bytes
        if size_bytes > most:
            raise UploadTooLarge(f"The file has {size_bytes} bytes; the limit is {most}.")
        image = await self._find(await asyncio.to_thread(_hash, file))
        if image is not None:
            return await self._report_known(path, image)
        if self.dry_run:
            return await self._check(path, file)
        recorded = await self.uploads.upload(self.principal, read_open_file(file), path.name, self.fields)
        state = FileState.NEW if recorded.created else FileState.KNOWN
        return _report(path, state, recorded.image)

    async def _check(self, path: Path, file: IO[bytes]) -> FileReport:
        """Examine a file without storing it; what follows an image's end is cut, so it may be known all the same."""
        with StagedFile(self.rules.staging_bytes) as staged:
            await stage(staged, self.rules, read_open_file(file))
            digest = await self.uploads.intake.check(self.rules, staged, Candidate(path.name))
        image = await self._find(digest)
        if image is not None:
            return _report(path, FileState.KNOWN, image)
        return FileReport(path, FileState.NEW, digest)

    async def _find(self, digest: Digest) -> Image | None:
        async with self.uploads.database.reading() as session:
            return await find_by_original(session, self.principal.tenant, digest)

    async def _report_known(self, path: Path, image: Image) -> FileReport:
        """Add the import's tags to an image that is here already, unless it has them."""
        async with self.uploads.database.reading() as session:
            missing = set(self.fields.description.tags) - set((await describe(session, image)).tags)
        if missing and not self.dry_run:
            async with self.uploads.database.writing() as session:
                row = await find_by_original(session, self.principal.tenant, Digest(image.original), lock=True)
                if row is not None:
                    await add_upload(session, self.principal, COMMAND_LINE, row, self.fields)
        return _report(path, FileState.KNOWN, image)


def _report(path: Path, state: FileState, image: Image) -> FileReport:
    return FileReport(path, state, Digest(image.original), image.id, image.status)


def _open(path: Path) -> IO[bytes]:
    """Open a regular file; what became a link or a pipe meanwhile is an OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(0, "It is not a regular file any more", str(path))
    return os.fdopen(fd, "rb", buffering=0)


def _hash(file: IO[bytes]) -> Digest:
    """Return the SHA-256 of an open file, and go back to its beginning."""
    digest = sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    return Digest(digest.hexdigest())
