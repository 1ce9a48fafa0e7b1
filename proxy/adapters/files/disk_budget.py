"""A budget of bytes for a folder: when it is nearly used up, the least recently used files are deleted.

Theory. A list of all files in memory would cost some hundred bytes each, and would be lost with the process. The folder
itself is the list instead: a file's mtime is when it was last used (its reader renews it, at most once an hour), and
one number, the bytes in use, is in memory. Beyond 95 % of the budget a thread walks the folder twice. The first walk
sums the bytes by age, in classes that are 2 % wide, so that some hundred numbers describe any folder; from them follows
the age beyond which files have to be deleted to come down to 85 %. The second walk deletes those. Each eviction frees a
tenth of the budget, so a write costs, in the mean, the inspection of about twenty files, in that thread. The first walk
also corrects the number in memory: for what other processes wrote, and at the start, when it is not known.

A write that would exceed the budget is declined: the derivative can be made again.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import structlog

from proxy.adapters.files.tree import TreeFile, delete, disk_bytes, walk

log = structlog.get_logger("darkroom.disk")

_START_SHARE, _TARGET_SHARE = 0.95, 0.85
_CLASSES_PER_DOUBLING = 32
"""Classes of age while the age doubles: each is 2 % wide."""


class DiskBudget:
    """Keeps the files below `root` within `budget_bytes`; 0 means unlimited. Close it at the end.

    `clock` returns Unix seconds, as the files' time stamps are.
    """

    def __init__(self, root: Path, budget_bytes: int, clock: Callable[[], float] = time.time) -> None:
        self._root = root
        self._budget_bytes = budget_bytes
        self._clock = clock
        self._lock = Lock()
        self._used_bytes = 0
        self._reserved_bytes = 0
        self._unwritten_bytes = 0
        self._queued = False
        self._closed = False
        self._thread = ThreadPoolExecutor(1, "darkroom-eviction")

    @property
    def used_bytes(self) -> int:
        """What the files take on disk, as far as is known."""
        return self._used_bytes

    def start(self) -> None:
        """Count in the background what is there."""
        with self._lock:
            self._queue_eviction()

    def reserve(self, content_bytes: int) -> bool:
        """Count a file that is about to be written. Return False if there is no room for it now.

        What is reserved is confirmed with `confirm` or given back with `cancel`.
        """
        if not self._budget_bytes:
            return True
        size_bytes = disk_bytes(content_bytes)
        with self._lock:
            if self._used_bytes + size_bytes > self._budget_bytes * _START_SHARE:
                self._queue_eviction()
            if self._used_bytes + size_bytes > self._budget_bytes:
                return False
            self._used_bytes += size_bytes
            self._reserved_bytes += size_bytes
            self._unwritten_bytes += size_bytes
        return True

    def confirm(self, content_bytes: int) -> None:
        """Count a reserved file as written."""
        if self._budget_bytes:
            with self._lock:
                self._unwritten_bytes -= disk_bytes(content_bytes)

    def cancel(self, content_bytes: int) -> None:
        """Give back what was reserved for a file that was not written."""
        self.confirm(content_bytes)
        self.release(disk_bytes(content_bytes))

    def release(self, size_bytes: int) -> None:
        """Count files that were deleted; `size_bytes` as `disk_bytes` returns it."""
        with self._lock:
            self._used_bytes = max(0, self._used_bytes - size_bytes)

    def evict(self) -> None:
        """Count the files; if they are beyond the start of eviction, delete the least recently used. Blocks."""
        with self._lock:
            self._queued = False
            written_before = self._reserved_bytes - self._unwritten_bytes
        now_s = self._clock()
        classes = self._sum_by_age(now_s)
        with self._lock:
            # the walk may or may not have met what was written meanwhile: count it, the next walk corrects it
            self._used_bytes = sum(classes.values()) + self._reserved_bytes - written_before
            excess_bytes = self._used_bytes - int(self._budget_bytes * _TARGET_SHARE)
            if self._used_bytes <= self._budget_bytes * _START_SHARE:
                return
        self._delete(_oldest(classes, excess_bytes), excess_bytes, now_s)

    def close(self) -> None:
        """End the thread; an eviction that runs stops at the next file."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _queue_eviction(self) -> None:
        if self._budget_bytes and not self._queued and not self._closed:
            self._queued = True
            self._thread.submit(self._evict_logged)

    def _evict_logged(self) -> None:
        try:
            self.evict()
        except Exception:
            log.exception("eviction failed")

    def _sum_by_age(self, now_s: float) -> Counter[int]:
        classes: Counter[int] = Counter()
        for file in walk(self._root):
            if self._closed:
                break
            classes[_age_class(file, now_s)] += file.size_bytes
        return classes

    def _delete(self, oldest: int, excess_bytes: int, now_s: float) -> None:
        freed_bytes = deleted = 0
        for file in walk(self._root):
            if self._closed or freed_bytes >= excess_bytes:
                break
            if _age_class(file, now_s) >= oldest and delete(file.path, self._root):
                self.release(file.size_bytes)
                freed_bytes += file.size_bytes
                deleted += 1
        log.info("evicted derivatives", deleted=deleted, freed_bytes=freed_bytes)


def _age_class(file: TreeFile, now_s: float) -> int:
    return int(math.log2(1 + max(0.0, now_s - file.used_at)) * _CLASSES_PER_DOUBLING)


def _oldest(classes: Counter[int], excess_bytes: int) -> int:
    """Return the youngest class that has to be deleted, beginning with the oldest, to free `excess_bytes`."""
    freed_bytes = 0
    for age_class in sorted(classes, reverse=True):
        freed_bytes += classes[age_class]
        if freed_bytes >= excess_bytes:
            return age_class
    return 0
