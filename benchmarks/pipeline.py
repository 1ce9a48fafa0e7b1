"""`python -m benchmarks.pipeline`: the CPU of what is done after an upload, over one bare decode of the same picture.

*examination* is the one decode in the sandbox with all that is computed from it; *optimised* the candidates for the
optimised version besides. The bare decode is that of the whole JPEG into memory by libvips. All run in this process, in
one thread, interleaved, and are measured in CPU time, so other work on the machine counts little. Ratios are medians of
the rounds' ratios. The parts of the examination follow, each measured by itself.
"""

import os

os.environ["VIPS_CONCURRENCY"] = "1"  # as in a worker; read when libvips starts

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import pyvips

from benchmarks.machine import describe
from benchmarks.ours import develop
from benchmarks.pictures import make_originals
from benchmarks.rounds import interleave, ratio
from benchmarks.tables import Printer
from catalog.core.optimization import candidate_recipes
from proxy.core.errors import LimitExceeded
from proxy.core.media.formats import JPEG
from proxy.pixels import boot, examine
from proxy.pixels.probe import probe

_SMALL_WIDTH = 1_732
"""Of the picture of two megapixels, which is made of the one of six."""
_PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "corpus" / "photos" / "clic"


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the examination; a third of it in full")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    chosen = parser.parse_args(arguments)
    boot.start(fonts=False)
    material, originals = make_originals(_PHOTOGRAPHS)
    bodies = {"2 MP": _reduced(originals[0].body), **{original.name: original.body for original in originals}}
    printer = Printer(markdown=chosen.markdown)
    printer.machine(describe() | {"originals": material})
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        rows, parts = [], []
        for name, body in bodies.items():
            file = Path(folder) / f"{name}.jpg"
            file.write_bytes(body)
            rows.append([name, *_row(file, chosen.rounds)])
            parts.append([name, *_parts(file, chosen.rounds)])
    printer.pipeline(chosen.rounds, rows, parts)
    return 0


def _reduced(body: bytes) -> bytes:
    small: bytes = pyvips.Image.thumbnail_buffer(body, _SMALL_WIDTH).jpegsave_buffer(Q=90, keep="none")
    return small


def _row(file: Path, rounds: int) -> list[str]:
    def whole() -> None:
        _examine(file)
        _optimise(file)

    short = {"bare": lambda: _cpu_s(lambda: _decode(file)), "examination": lambda: _cpu_s(lambda: _examine(file))}
    times = interleave(rounds, short)
    full = interleave(max(1, rounds // 3), {"bare": short["bare"], "all": lambda: _cpu_s(whole)})
    return [
        f"{median(times['bare']) * 1e3:.1f}",
        f"{median(times['examination']) * 1e3:.1f}",
        ratio(times["examination"], times["bare"]).text(),
        ratio(full["all"], full["bare"]).text(1),
    ]


def _parts(file: Path, rounds: int) -> list[str]:
    """Return the CPU time of each part; *sample* is the decode and its reduction to the sample."""
    fd = os.open(file, os.O_RDONLY)
    try:
        facts = probe(fd)
        image = examine._open(fd, facts)  # noqa: SLF001 - what it consists of is measured here
        sample = examine._sample(examine._open(fd, facts), facts)  # noqa: SLF001
        grey, small = sample.colourspace("b-w")[0].copy_memory(), sample.thumbnail_image(48).copy_memory()
        runs: dict[str, Callable[[], object]] = {
            "decode": lambda: examine._open(fd, facts).copy_memory(),  # noqa: SLF001
            "sample": lambda: examine._sample(examine._open(fd, facts), facts),  # noqa: SLF001
            "end": lambda: examine._find_end(fd, facts),  # noqa: SLF001
            "details": lambda: examine._details(image),  # noqa: SLF001
            "colours": lambda: examine._colours(small),  # noqa: SLF001
            "thumbhash": lambda: examine._thumbhash(small),  # noqa: SLF001
            "hash": lambda: examine._hash(grey),  # noqa: SLF001
            "quality": lambda: examine._quality(grey, facts),  # noqa: SLF001
        }
        times = interleave(rounds, {name: lambda run=run: _cpu_s(run) for name, run in runs.items()})  # type: ignore[misc]
        return [f"{median(values) * 1e3:.2f}" for values in times.values()]
    finally:
        os.close(fd)


def _decode(file: Path) -> None:
    pyvips.Image.new_from_file(f"{file}", access="sequential").copy_memory()


def _examine(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    try:
        examine.examine(fd)
    finally:
        os.close(fd)


def _optimise(file: Path) -> None:
    """Render the candidates; one over a limit costs nothing, as in the pipeline."""
    for recipe in candidate_recipes(JPEG.media_type, 1, 1):
        try:
            develop(file, recipe)
        except LimitExceeded:
            continue


def _cpu_s(run: Callable[[], object]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
