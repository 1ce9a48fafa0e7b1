"""A tree of files that other threads and processes change meanwhile: walk it, delete from it, leave no empty folder.

Names that begin with a dot are not part of the tree. Whatever disappears meanwhile is passed over.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BLOCK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file, when it was last used in Unix seconds, and the bytes it takes on disk."""

    path: Path
    used_at: float
    size_bytes: int


def disk_bytes(content_bytes: int) -> int:
    """Return what a file of so many bytes takes on disk: whole blocks."""
    return -(-content_bytes // _BLOCK_BYTES) * _BLOCK_BYTES


def list_folders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; an empty list if there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _belongs(entry) and entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []


def walk(root: Path) -> Iterator[TreeFile]:
    """Yield each file below a folder, in no particular order."""
    pending = [str(root)]
    while pending:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                if not _belongs(entry):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif (file := _file(entry)) is not None:
                    yield file


def delete(path: Path, root: Path) -> bool:
    """Delete a file, and the folders above it that this leaves empty, up to `root`. Return whether there was a file."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    for folder in path.parents:
        if folder == root or not _remove_empty(folder):
            break
    return True


def remove_empty_folders(folder: Path, root: Path) -> None:
    """Delete a folder, those below it and those above it up to `root`, as far as they are empty."""
    for path, _, _ in os.walk(folder, topdown=False):
        _remove_empty(Path(path))
    for parent in folder.parents:
        if parent == root or not _remove_empty(parent):
            return


def _belongs(entry: "os.DirEntry[str]") -> bool:
    return not entry.name.startswith(".")


def _file(entry: "os.DirEntry[str]") -> TreeFile | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return TreeFile(Path(entry.path), status.st_mtime, disk_bytes(status.st_size))


def _remove_empty(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:  # not empty, or deleted meanwhile
        return False
    return True
