"""Memory: the server and its workers while they render distinct derivatives of a 24 megapixel JPEG.

PSS (proc_pid_smaps(5)) is resident memory with shared pages divided among the processes that share them, so the sum
over all processes is their real use. The sum of the kernel's peaks (VmHWM) counts shared pages once for each process,
and the highest moment of every process at once: an upper bound that does not depend on sampling. The memory tier is
small here and full soon, so later growth is not the cache. The server runs no jobs: the pipeline of the upload would
encode the same picture meanwhile.
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
class MemoryUsage:
    """Bytes used by server and workers together."""

    requests: int
    idle_pss: int
    peak_pss: int
    peak_rss: int
    parts_pss: tuple[int, ...]
    """The highest PSS in each tenth of the run."""


def measure(folder: Path, originals: Sequence[Original], requests: int) -> MemoryUsage:
    """Request distinct small JPEGs of the largest original, and sample memory meanwhile."""
    home = folder / "memory"
    home.mkdir()
    file = home / "original.jpg"
    file.write_bytes(originals[-1].body)
    servers.set_up_tenant(home)
    name = servers.upload(home, [file])[0]
    case = Case(originals[-1], "320×180 cover", "jpeg")
    targets = (servers.sealed(name, str(case.recipe(number))) for number in range(requests))
    with servers.darkroom(home, memory_cache_bytes=str(_CACHE_BYTES), job_concurrency="0") as ours:
        idle, parts = Memory.of(ours.pid), []
        while share := list(islice(targets, -(-requests // _PARTS))):
            parts.append(_sampled(ours, share))
        peaks = [part.pss for part in parts]
        return MemoryUsage(requests, idle.pss, max(peaks), max(part.peak for part in parts), tuple(peaks))


def _sampled(ours: servers.Server, targets: Sequence[str]) -> Memory:
    """Request the targets; return the highest of the samples taken meanwhile."""
    samples: list[Memory] = []
    done = Event()

    def sample() -> None:
        while not done.wait(_PERIOD_S):
            samples.append(Memory.of(ours.pid))

    sampler = Thread(target=sample)
    sampler.start()
    try:
        load(ours.port, targets, CONNECTIONS_A_CORE * cores())
    finally:
        done.set()
        sampler.join()
    samples.append(Memory.of(ours.pid))
    return Memory(max(memory.pss for memory in samples), max(memory.peak for memory in samples))
