"""Run the benchmarks, print tables, and write the figures as JSON: `python -m benchmarks`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import agree, effort, hit, memory, miss, quality
from benchmarks.machine import describe
from benchmarks.pictures import make_originals
from benchmarks.servers import Missing
from benchmarks.tables import Printer

_USUAL = ("hit", "miss", "memory", "agree", "effort")
_PARTS = (*_USUAL, "quality")
_PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "corpus" / "photos" / "clic"


@dataclass(frozen=True, slots=True)
class Measure:
    """The number of rounds and the seconds of each."""

    hit_rounds: int
    hit_seconds: int
    miss_rounds: int
    miss_seconds: float
    requests: int


_FULL = Measure(hit_rounds=7, hit_seconds=3, miss_rounds=5, miss_seconds=1.5, requests=400)
_QUICK = Measure(hit_rounds=3, hit_seconds=1, miss_rounds=3, miss_seconds=0.7, requests=100)
_LONG_REQUESTS = 10_000


def main(arguments: Sequence[str]) -> int:
    """Run the chosen parts; return the exit status."""
    options = _read(arguments)
    measure = _QUICK if options.quick else _FULL
    printer = Printer(markdown=options.markdown)
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        source, originals = make_originals(options.photographs)
        figures: dict[str, Any] = {"machine": describe() | {"originals": source}}
        printer.machine(figures["machine"])
        if "hit" in options.parts:
            body_bytes, hits = hit.measure(Path(folder), originals, measure.hit_rounds, measure.hit_seconds)
            printer.hit(body_bytes, measure.hit_rounds, hits)
            figures["hit"] = {"body_bytes": body_bytes, "rows": [asdict(row) for row in hits]}
        if "miss" in options.parts:
            misses = []
            for row in miss.measure(
                Path(folder), originals, measure.miss_rounds, measure.miss_seconds, quick=options.quick
            ):
                misses.append(row)
                _report(f"{row.original} {row.shape} {row.format}: {row.ratio.text()}")
            printer.miss(measure.miss_rounds, misses)
            figures["miss"] = [asdict(row) for row in misses]
        if "memory" in options.parts:
            usage = memory.measure(Path(folder), originals, _LONG_REQUESTS if options.long else measure.requests)
            printer.memory(usage)
            figures["memory"] = asdict(usage)
        if "agree" in options.parts:
            rows = agree.measure(Path(folder), [original.body for original in originals])
            printer.agree(rows)
            figures["agree"] = [asdict(row) for row in rows]
        if "effort" in options.parts:
            steps = effort.measure([original.body for original in originals])
            printer.effort(steps)
            figures["effort"] = [asdict(step) for step in steps]
        if "quality" in options.parts:
            scores = quality.measure(Path(folder), sorted(options.photographs.glob("*.png")), _report)
            printer.quality(scores)
            figures["quality"] = [asdict(score) for score in scores]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=_USUAL, metavar="PART", help=f"{', '.join(_PARTS)} (default: all but quality)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer cases, fewer and shorter rounds")
    parser.add_argument("--long", action="store_true", help=f"measure memory over {_LONG_REQUESTS} requests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to a file")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument(
        "--photographs", type=Path, default=_PHOTOGRAPHS, help="folder of PNGs from which the originals are made"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(_PARTS):
        parser.error(f"unknown part: {', '.join(sorted(unknown))}. Specify some of {', '.join(_PARTS)}.")
    return options


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Missing as missing:
        _report(str(missing))
        sys.exit(1)
