"""The folder of one set of servers: in memory where there is room, and removed even after a kill.

Theory. Creating and dropping a PostgreSQL database writes hundreds of small files; in memory (tmpfs) that takes a
tenth of the time. A process that is killed cannot remove its folder, so each folder is locked (flock(2)) by the
process that uses it, and every start removes the folders whose lock nobody holds. The kernel releases a lock when
its process ends, however it ends.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "darkroom-servers-"
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 2**30
"""The free memory that a set of servers is given; with less, the folder is on disk."""
_LOCK = "lock"


@contextmanager
def server_folder(root: Path | None = None) -> Iterator[Path]:
    """Create a folder that every user may read, remove it afterwards, and remove abandoned ones beforehand."""
    root = root or _root()
    remove_abandoned(root)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=root, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (folder / f"{_LOCK}.new").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # it gets its name when it is locked: a lock that can be taken is always an abandoned one
            (folder / f"{_LOCK}.new").rename(folder / _LOCK)
            yield folder


def remove_abandoned(root: Path) -> None:
    """Remove the folders of processes that were killed."""
    for path in root.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)


def _root() -> Path:
    with suppress(OSError):
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES:
            return _MEMORY
    return Path(tempfile.gettempdir())
