"""The home folder of an embedded installation: readable by its owner alone, whoever created it."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

import structlog

log = structlog.get_logger("darkroom.home")

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_OTHERS = 0o077
_SQLITE_SUFFIXES = ("", "-wal", "-shm")


def make_private_folder(folder: Path) -> None:
    """Create a folder with mode 0700, or restrict an existing one to it."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    _restrict(folder, _FOLDER_MODE)


def make_private_database(file: Path) -> None:
    """Create an empty database file with mode 0600, or restrict an existing one and the files SQLite keeps beside it.

    SQLite creates those with the mode of the database file.
    """
    os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _FILE_MODE))
    for path in (file.with_name(file.name + suffix) for suffix in _SQLITE_SUFFIXES):
        if path.exists():
            _restrict(path, _FILE_MODE)


def read_or_create(file: Path, text: str) -> str:
    """Return the content of a file, which is first created with mode 0600 and `text` if it does not exist.

    Creation is atomic and durable: of several processes that create the file at once one succeeds, and all return its
    content.
    """
    if not file.exists():
        fd, part = mkstemp(prefix=f".{file.name}.", dir=file.parent)  # its mode is 0600
        with open(fd, "w", encoding="utf-8") as writer:  # noqa: PTH123 - a descriptor
            writer.write(text)
            writer.flush()
            os.fsync(writer.fileno())
        with suppress(FileExistsError):  # another process was faster, and its file counts
            os.link(part, file)
        os.unlink(part)  # noqa: PTH108 - as mkstemp returns it
        _sync(file.parent)
    _restrict(file, _FILE_MODE)
    return file.read_text(encoding="utf-8")


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _restrict(path: Path, mode: int) -> None:
    """Take the rights of group and others from a path; a path of another owner is reported and left alone."""
    if not path.stat().st_mode & _OTHERS:
        return
    try:
        path.chmod(mode)
    except PermissionError:
        log.warning("others can read this path and its owner is not this user", path=str(path), mode=oct(mode))
