"""Memory: the server and its workers while they make one-off derivatives of a 24 megapixel JPEG.

PSS (proc_pid_smaps(5)) is resident memory with shared pages divided among those who share them, so a family's adds up
to what it really takes. The sum of the kernel's own peaks (VmHWM) counts shared pages once for each process, and every
process's worst moment at once: an upper bound that no sampling can miss. The memory tier is small here, so that it is
full from early on: what grows after that is no cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event, Thread

from benchmarks import servers
from benchmarks.client import load
from benchmarks.machine import Memory
from benchmarks.miss import CONNECTIONS_A_CORE, Case, cores
from benchmarks.pictures import Original

_CACHE_BYTES = 4 * 2**20
_PERIOD_S = 0.2
_PARTS = 10


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes held by server and workers together."""

    requests: int
    idle_pss: int
    peak_pss: int
    peak_rss: int
    parts_pss: tuple[int, ...]
    """The highest PSS in each tenth of the run."""


def measure(folder: Path, originals: Sequence[Original], requests: int) -> Held:
    """Ask for `requests` distinct small JPEGs of the largest original, and watch."""
    home = folder / "memory"
    home.mkdir()
    file = home / "original.jpg"
    file.write_bytes(originals[-1].body)
    servers.set_up_tenant(home)
    name = servers.upload(home, [file])[0]
    case = Case(originals[-1], "320×180 cover", "jpeg")
    targets = (servers.sealed(name, str(case.recipe(number))) for number in range(requests))
    with servers.darkroom(home, memory_cache_bytes=str(_CACHE_BYTES)) as ours:
        idle, parts = Memory.of(ours.pid), []
        while share := list(islice(targets, -(-requests // _PARTS))):
            parts.append(_watched(ours, share))
        peaks = [one.pss for one in parts]
        return Held(requests, idle.pss, max(peaks), max(one.peak for one in parts), tuple(peaks))


def _watched(ours: servers.Server, targets: Sequence[str]) -> Memory:
    """Load, and give the highest of what was seen meanwhile."""
    seen: list[Memory] = []
    done = Event()

    def watch() -> None:
        while not done.wait(_PERIOD_S):
            seen.append(Memory.of(ours.pid))

    watching = Thread(target=watch)
    watching.start()
    try:
        load(ours.port, targets, CONNECTIONS_A_CORE * cores())
    finally:
        done.set()
        watching.join()
    seen.append(Memory.of(ours.pid))
    return Memory(max(one.pss for one in seen), max(one.peak for one in seen))
