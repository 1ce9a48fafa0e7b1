"""The figures as people read them, on a terminal or as Markdown."""

from collections.abc import Mapping, Sequence
from statistics import geometric_mean, median

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.agree import MOST_MEAN, Agreement
from benchmarks.effort import Step
from benchmarks.hit import CONNECTIONS, Hit
from benchmarks.memory import Held
from benchmarks.miss import Cpu, Miss
from benchmarks.quality import SIDE
from benchmarks.quality import Row as Quality

_MIB = 2**20
_HIT = ("server", "requests/s", "CPU µs/request", "Darkroom ÷ it")
_MISS = (
    "original",
    "derivative",
    "format",
    "Darkroom/s",
    "bare loop/s",
    "Darkroom ÷ bare",
    "CPU ms: workers, server, client ÷ bare",
)


class Printer:
    """Prints titles and tables, as Markdown where that is asked for."""

    def __init__(self, *, markdown: bool) -> None:
        self._markdown = markdown
        self._console = Console(width=None if Console().is_terminal else 120, highlight=False)

    def machine(self, told: Mapping[str, str]) -> None:
        """Print what was measured on."""
        self._line(" · ".join(f"{name} {value}" for name, value in told.items()))

    def hit(self, body_bytes: int, rounds: int, rows: Sequence[Hit]) -> None:
        """Print the hits; CPU time for a request is rounded to tenths."""
        self._table(
            f"Hit: {body_bytes} bytes of WebP, wrk -t1 -c{CONNECTIONS}, {rounds} rounds",
            _HIT,
            [(one.server, one.requests_s.told(0), one.cpu_us.told(1), one.ours_to_it.told()) for one in rows],
        )

    def miss(self, rounds: int, rows: Sequence[Miss]) -> None:
        """Print the misses, and their geometric mean."""
        self._table(
            f"Miss: distinct cold URLs over HTTP, against the bare libvips loop, {rounds} rounds",
            _MISS,
            [
                (
                    one.original,
                    one.shape,
                    one.format,
                    one.darkroom_s.told(1),
                    one.bare_s.told(1),
                    one.ratio.told(),
                    _cpu(one.cpu),
                )
                for one in rows
            ],
        )
        ratios = [one.ratio.median for one in rows]
        mean, worst = geometric_mean(ratios), min(ratios)
        self._line(f"All misses: geometric mean {mean:.3f}, median {median(ratios):.3f}, worst {worst:.3f} (goal 0.95)")

    def agree(self, rows: Sequence[Agreement]) -> None:
        """Print how far the same work by sharp is from ours."""
        self._table(
            f"The same work by sharp: difference of a channel, of 255; a mean of {MOST_MEAN:g} agrees",
            ("recipe", "size", "sharp's", "mean", "largest", "agrees"),
            [
                (
                    one.recipe,
                    "×".join(map(str, one.ours)),
                    "×".join(map(str, one.theirs)),
                    f"{one.mean:.2f}",
                    f"{one.largest:.0f}",
                    "yes" if one.holds else "no",
                )
                for one in rows
            ],
        )

    def effort(self, steps: Sequence[Step]) -> None:
        """Print what efforts cost and save against the one that is chosen."""
        sizes = dict.fromkeys((one.format, one.width, one.height) for one in steps)
        rows = []
        for output, width, height in sizes:
            those = [one for one in steps if (one.format, one.width) == (output, width)]
            chosen = next(one for one in those if one.chosen)
            told = (
                f"{one.effort}: {one.seconds / chosen.seconds:.2f}×, {one.body_bytes / chosen.body_bytes:.2f}×"
                for one in those
            )
            ours = f"{chosen.effort}: {chosen.seconds * 1e3:.0f} ms, {chosen.body_bytes} bytes"
            rows.append((output, f"{width}×{height}", ours, " · ".join(told)))
        columns = ("format", "size", "chosen", "effort: time, bytes ÷ the chosen one's")
        self._table("Effort: one thread, the default quality", columns, rows)

    def quality(self, rows: Sequence[Quality]) -> None:
        """Print bytes and scores, and how much better ours are at a peer's bytes."""
        self._table(
            f"Quality: photographs within {SIDE}×{SIDE}, means; SSIMULACRA2",
            ("format", "tool", "quality", "bytes", "score", "Darkroom at the same bytes"),
            [
                (
                    one.format,
                    one.tool,
                    one.quality,
                    f"{one.body_bytes:.0f}",
                    f"{one.score:.1f}",
                    "" if one.ours_at_its_bytes is None else f"{one.ours_at_its_bytes:+.1f}",
                )
                for one in rows
            ],
        )

    def memory(self, held: Held) -> None:
        """Print what server and workers held together."""
        parts = " ".join(f"{one / _MIB:.0f}" for one in held.parts_pss)
        self._table(
            f"Memory: server and workers, {held.requests} one-off 320×180 JPEGs of a 24 MP JPEG, in MiB",
            ("idle PSS", "peak PSS", "sum of peak RSS", "highest PSS in each tenth of the run"),
            [
                (
                    f"{held.idle_pss / _MIB:.0f}",
                    f"{held.peak_pss / _MIB:.0f}",
                    f"{held.peak_rss / _MIB:.0f}",
                    parts,
                )
            ],
        )

    def _line(self, text: str) -> None:
        if self._markdown:
            print(f"\n{text}")
        else:
            self._console.print(text)

    def _table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if self._markdown:
            print(f"\n**{title}**\n")
            for row in (columns, ["---"] * len(columns), *rows):
                print(f"| {' | '.join(row)} |")
            return
        table = Table(*columns, title=title, title_justify="left", box=box.SIMPLE)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)


def _cpu(used: Cpu) -> str:
    return f"{used.workers_ms:.1f}, {used.server_ms:.2f}, {used.client_ms:.2f} ÷ {used.bare_ms:.1f}"
