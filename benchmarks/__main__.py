"""`python -m benchmarks`: measure, print tables, keep the figures as JSON."""

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
    """How long to look."""

    hit_rounds: int
    hit_seconds: int
    miss_rounds: int
    miss_seconds: float
    requests: int


_FULL = Measure(hit_rounds=7, hit_seconds=3, miss_rounds=5, miss_seconds=1.5, requests=400)
_QUICK = Measure(hit_rounds=3, hit_seconds=1, miss_rounds=3, miss_seconds=0.7, requests=100)
_LONG_REQUESTS = 10_000


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for."""
    asked = _read(arguments)
    how = _QUICK if asked.quick else _FULL
    printer = Printer(markdown=asked.markdown)
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        source, originals = make_originals(asked.photographs)
        figures: dict[str, Any] = {"machine": describe() | {"originals": source}}
        printer.machine(figures["machine"])
        if "hit" in asked.parts:
            body_bytes, hits = hit.measure(Path(folder), originals, how.hit_rounds, how.hit_seconds)
            printer.hit(body_bytes, how.hit_rounds, hits)
            figures["hit"] = {"body_bytes": body_bytes, "rows": [asdict(one) for one in hits]}
        if "miss" in asked.parts:
            misses = []
            for one in miss.measure(Path(folder), originals, how.miss_rounds, how.miss_seconds, quick=asked.quick):
                misses.append(one)
                _say(f"{one.original} {one.shape} {one.format}: {one.ratio.told()}")
            printer.miss(how.miss_rounds, misses)
            figures["miss"] = [asdict(one) for one in misses]
        if "memory" in asked.parts:
            held = memory.measure(Path(folder), originals, _LONG_REQUESTS if asked.long else how.requests)
            printer.memory(held)
            figures["memory"] = asdict(held)
        if "agree" in asked.parts:
            rows = agree.measure(Path(folder), [one.body for one in originals])
            printer.agree(rows)
            figures["agree"] = [asdict(one) for one in rows]
        if "effort" in asked.parts:
            steps = effort.measure([one.body for one in originals])
            printer.effort(steps)
            figures["effort"] = [asdict(one) for one in steps]
        if "quality" in asked.parts:
            scored = quality.measure(Path(folder), sorted(asked.photographs.glob("*.png")), _say)
            printer.quality(scored)
            figures["quality"] = [asdict(one) for one in scored]
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=_USUAL, metavar="PART", help=f"{', '.join(_PARTS)}; all but quality if left out"
    )
    parser.add_argument("--quick", action="store_true", help="a look: fewer cases, fewer and shorter rounds")
    parser.add_argument("--long", action="store_true", help=f"watch memory over {_LONG_REQUESTS} requests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--photographs", type=Path, default=_PHOTOGRAPHS, help="folder of PNGs to make originals of")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: say {', '.join(_PARTS)}")
    return asked


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Missing as missing:
        _say(str(missing))
        sys.exit(1)
