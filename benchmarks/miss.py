"""Miss: distinct cold URLs over HTTP, against the bare libvips loop with the same work on the same cores.

The URLs differ in options that change no pixel: a cover crop that cuts above and below does not move with the focal
point's x, and the height of an `inside` box does not limit a wide picture. The client rejects an answer that was not
rendered for its request, so no hit is counted. The server is configured as in production: seals, hashing, limits,
sandbox, writes to the memory and disk tiers after the answer, one log line for each render.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.client import Load, load
from benchmarks.machine import children_cpu_s, cpu_s
from benchmarks.pictures import Original
from benchmarks.rounds import Spread, interleave, ratio
from benchmarks.servers import Server
from proxy.core.planning.plan import Plan
from proxy.core.planning.planner import resolve_plan
from proxy.core.recipe.option_kinds import FRACTION_DIGITS
from proxy.core.recipe.recipe import Recipe
from proxy.core.recipe.values import Focus

FORMATS = ("jpeg", "webp", "avif", "png")
CONNECTIONS_A_CORE = 2
_SHAPES = ("320×180 cover", "800 inside")
_FIRST_HEIGHT = 900
FOCUS_STEPS = 10**FRACTION_DIGITS
"""The number of distinct focal points in one direction: a recipe has no finer ones."""
_TOLERANCE = 0.02
_TOLERANCE_BYTES = 256


class NotTheSame(Exception):
    """The pictures of the two sides differ by more than rounding, so their times cannot be compared."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of work."""

    original: Original
    shape: str
    format: str

    def recipe(self, number: int) -> Recipe:
        """Return a recipe for this work whose text is distinct for each number."""
        if self.shape == _SHAPES[0]:
            down, across = divmod(number, FOCUS_STEPS)
            focus = Focus(Fraction(across, FOCUS_STEPS), Fraction(1, 2) + Fraction(down, FOCUS_STEPS))
            return Recipe(width=320, height=180, focus=focus, format=self.format)
        return Recipe(width=800, height=_FIRST_HEIGHT + number, fit="inside", format=self.format)

    @property
    def plan(self) -> Plan:
        """The server's plan, in exact integers."""
        return resolve_plan(self.recipe(0), self.original.facts)


@dataclass(frozen=True, slots=True)
class Miss:
    """The figures of one case, in pictures per second."""

    original: str
    shape: str
    format: str
    darkroom_s: Spread
    bare_s: Spread
    ratio: Spread
    cpu: "Cpu"


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU milliseconds for one picture: of the server, its workers and the client; and of the bare loop."""

    server_ms: float
    workers_ms: float
    client_ms: float
    bare_ms: float


def cases(originals: Sequence[Original], *, quick: bool) -> list[Case]:
    """Return all cases; with `quick`, one for each format and original."""
    shapes = _SHAPES[1:] if quick else _SHAPES
    return [Case(original, shape, kind) for original in originals for shape in shapes for kind in FORMATS]


def measure(folder: Path, originals: Sequence[Original], rounds: int, seconds: float, *, quick: bool) -> Iterator[Miss]:
    """Yield the figures case by case; a round of each side takes about `seconds`."""
    home = folder / "miss"
    home.mkdir()
    files = [home / f"{original.name}.jpg" for original in originals]
    for file, original in zip(files, originals, strict=True):
        file.write_bytes(original.body)
    servers.set_up_tenant(home)
    names = dict(zip((original.name for original in originals), servers.upload(home, files), strict=True))
    with servers.darkroom(home) as ours, _bare_loop() as bare:
        for case in cases(originals, quick=quick):
            name, file = names[case.original.name], home / f"{case.original.name}.jpg"
            yield _Race(case, name, file, ours, bare).run(rounds, seconds)


@dataclass(frozen=True, slots=True)
class Bare:
    """The bare loop's process, and the function that gives it a job."""

    pid: int
    run: Callable[[dict[str, Any]], dict[str, float]]


@contextmanager
def _bare_loop() -> Iterator[Bare]:
    """Start the bare loop with one thread for each core."""
    command = [sys.executable, "-m", "benchmarks.bare", str(cores())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        jobs, results = process.stdin, process.stdout
        if jobs is None or results is None:
            raise NotTheSame("The bare loop was started without pipes.")

        def run(job: dict[str, Any]) -> dict[str, float]:
            print(json.dumps(job), file=jobs, flush=True)
            result: dict[str, float] = json.loads(results.readline())
            return result

        yield Bare(process.pid, run)
        jobs.close()


class _Race:
    """One case on both sides, in rounds; no URL is requested twice."""

    def __init__(self, case: Case, name: str, file: Path, ours: Server, bare: Bare) -> None:
        self._case = case
        self._name = name
        self._file = file
        self._ours = ours
        self._bare = bare
        self._numbers = count()
        self._loads: list[Load] = []

    def run(self, rounds: int, seconds: float) -> Miss:
        """Warm both sides, check that their results are the same, then interleave rounds."""
        once = 2 * cores()
        warm = self._run_bare(once)
        self._compare(warm["bytes"], self._run_ours(once).body_bytes)
        number = max(4 * cores(), round(seconds * once / self._run_bare(once)["seconds"]))
        self._loads.clear()
        before = self._cpu_s()
        rates = interleave(
            rounds,
            {
                "darkroom": lambda: number / self._run_ours(number).seconds,
                "bare": lambda: number / self._run_bare(number)["seconds"],
            },
        )
        used_ms = [1000 * (now - then) / (rounds * number) for now, then in zip(self._cpu_s(), before, strict=True)]
        return Miss(
            self._case.original.name,
            self._case.shape,
            self._case.format,
            Spread.of(rates["darkroom"]),
            Spread.of(rates["bare"]),
            ratio(rates["darkroom"], rates["bare"]),
            Cpu(*used_ms),
        )

    def _cpu_s(self) -> tuple[float, float, float, float]:
        """Return the CPU seconds so far, in the order of `Cpu`."""
        ours = self._ours.pid
        return cpu_s(ours), children_cpu_s(ours), sum(done.cost_s for done in self._loads), cpu_s(self._bare.pid)

    def _run_ours(self, number: int) -> Load:
        recipes = (str(self._case.recipe(next(self._numbers))) for _ in range(number))
        targets = [servers.sealed(self._name, recipe) for recipe in recipes]
        self._loads.append(load(self._ours.port, targets, CONNECTIONS_A_CORE * cores()))
        return self._loads[-1]

    def _run_bare(self, number: int) -> dict[str, float]:
        plan = self._case.plan
        return self._bare.run(
            {
                "file": str(self._file),
                "width": plan.size.width,
                "height": plan.size.height,
                "crop": plan.cut is not None,
                "encoding": [plan.encoding.format.name, plan.encoding.quality, plan.encoding.effort],
                "count": number,
            }
        )

    def _compare(self, bare_bytes: float, our_bytes: float) -> None:
        if abs(our_bytes - bare_bytes) > max(_TOLERANCE * bare_bytes, _TOLERANCE_BYTES):
            raise NotTheSame(f"{self._case}: {our_bytes} bytes by Darkroom, {bare_bytes} by the bare loop")


def cores() -> int:
    """Return the number of cores this process may use: of pixel workers, and of threads of the bare loop."""
    return len(os.sched_getaffinity(0))
