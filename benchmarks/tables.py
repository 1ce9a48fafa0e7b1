"""The tables of figures, for a terminal or as Markdown."""

from collections.abc import Mapping, Sequence
from statistics import geometric_mean, median
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.agree import MOST_MEAN, Agreement
from benchmarks.effort import Step
from benchmarks.hit import CONNECTIONS, Hit
from benchmarks.memory import MemoryUsage
from benchmarks.miss import Cpu, Miss
from benchmarks.quality import SIDE
from benchmarks.quality import Row as Quality

if TYPE_CHECKING:
    from benchmarks.claims import Claims
    from benchmarks.management import Against

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
    """Prints titles and tables, for a terminal or as Markdown."""

    def __init__(self, *, markdown: bool) -> None:
        self._markdown = markdown
        self._console = Console(width=None if Console().is_terminal else 120, highlight=False)

    def machine(self, description: Mapping[str, str]) -> None:
        """Print the machine and the versions."""
        self._line(" · ".join(f"{name} {value}" for name, value in description.items()))

    def hit(self, body_bytes: int, rounds: int, rows: Sequence[Hit]) -> None:
        """Print the rates of hits; CPU time for a request is rounded to tenths."""
        self._table(
            f"Hit: {body_bytes} bytes of WebP, wrk -t1 -c{CONNECTIONS}, {rounds} rounds",
            _HIT,
            [(row.server, row.requests_s.text(0), row.cpu_us.text(1), row.ours_to_it.text()) for row in rows],
        )

    def miss(self, rounds: int, rows: Sequence[Miss]) -> None:
        """Print the rates of misses, and the geometric mean of the ratios."""
        self._table(
            f"Miss: distinct cold URLs over HTTP, against the bare libvips loop, {rounds} rounds",
            _MISS,
            [
                (
                    row.original,
                    row.shape,
                    row.format,
                    row.darkroom_s.text(1),
                    row.bare_s.text(1),
                    row.ratio.text(),
                    _cpu(row.cpu),
                )
                for row in rows
            ],
        )
        ratios = [row.ratio.median for row in rows]
        mean, worst = geometric_mean(ratios), min(ratios)
        self._line(f"All misses: geometric mean {mean:.3f}, median {median(ratios):.3f}, worst {worst:.3f} (goal 0.95)")

    def agree(self, rows: Sequence[Agreement]) -> None:
        """Print the difference between Darkroom's and sharp's results."""
        self._table(
            f"The same work by sharp: difference of a channel, of 255; a mean of {MOST_MEAN:g} agrees",
            ("recipe", "size", "sharp's", "mean", "largest", "agrees"),
            [
                (
                    row.recipe,
                    "×".join(map(str, row.ours)),
                    "×".join(map(str, row.theirs)),
                    f"{row.mean:.2f}",
                    f"{row.largest:.0f}",
                    "yes" if row.holds else "no",
                )
                for row in rows
            ],
        )

    def effort(self, steps: Sequence[Step]) -> None:
        """Print the time and bytes of each effort, relative to the chosen effort."""
        sizes = dict.fromkeys((step.format, step.width, step.height) for step in steps)
        rows = []
        for output, width, height in sizes:
            group = [step for step in steps if (step.format, step.width) == (output, width)]
            chosen = next(step for step in group if step.chosen)
            ratios = (
                f"{step.effort}: {step.seconds / chosen.seconds:.2f}×, {step.body_bytes / chosen.body_bytes:.2f}×"
                for step in group
            )
            ours = f"{chosen.effort}: {chosen.seconds * 1e3:.0f} ms, {chosen.body_bytes} bytes"
            rows.append((output, f"{width}×{height}", ours, " · ".join(ratios)))
        columns = ("format", "size", "chosen", "effort: time, bytes ÷ those of the chosen effort")
        self._table("Effort: one thread, the default quality", columns, rows)

    def quality(self, rows: Sequence[Quality]) -> None:
        """Print bytes and scores, and Darkroom's advantage at equal bytes."""
        self._table(
            f"Quality: photographs within {SIDE}×{SIDE}, means; SSIMULACRA2",
            ("format", "tool", "quality", "bytes", "score", "Darkroom at the same bytes"),
            [
                (
                    row.format,
                    row.tool,
                    row.quality,
                    f"{row.body_bytes:.0f}",
                    f"{row.score:.1f}",
                    "" if row.ours_at_its_bytes is None else f"{row.ours_at_its_bytes:+.1f}",
                )
                for row in rows
            ],
        )

    def memory(self, usage: MemoryUsage) -> None:
        """Print the memory of server and workers together."""
        parts = " ".join(f"{part / _MIB:.0f}" for part in usage.parts_pss)
        self._table(
            f"Memory: server and workers, {usage.requests} one-off 320×180 JPEGs of a 24 MP JPEG, in MiB",
            ("idle PSS", "peak PSS", "sum of peak RSS", "highest PSS in each tenth of the run"),
            [
                (
                    f"{usage.idle_pss / _MIB:.0f}",
                    f"{usage.peak_pss / _MIB:.0f}",
                    f"{usage.peak_rss / _MIB:.0f}",
                    parts,
                )
            ],
        )

    def claims(self, title: str, rows: "Sequence[Claims]") -> None:
        """Print how fast jobs are claimed, and how fairly."""
        self._table(
            title,
            ("database", "jobs per claim", "finished as well", "jobs/s", "claim p50, p99 ms", "all served within"),
            [
                (
                    row.database,
                    str(row.batch),
                    "yes" if row.finish else "no",
                    f"{row.jobs_s:.0f}",
                    f"{row.claim_p50_ms:.1f}, {row.claim_p99_ms:.1f}",
                    str(row.served_within or "never"),
                )
                for row in rows
            ],
        )

    def against(self, title: str, rows: "Sequence[Against]") -> None:
        """Print Darkroom's rate beside limits."""
        self._table(
            title,
            ("beside", "Darkroom/s", "it/s", "Darkroom ÷ it"),
            [(row.what, row.ours_s.text(1), row.theirs_s.text(1), row.ratio.text()) for row in rows],
        )

    def pipeline(self, rounds: int, rows: Sequence[Sequence[str]], parts: Sequence[Sequence[str]]) -> None:
        """Print the CPU of the pipeline over that of a bare decode, and that of the examination's parts."""
        columns = ("original", "bare decode, ms", "examination, ms", "examination ÷ bare", "with optimised ÷ bare")
        self._table(
            f"Pipeline: CPU over one bare decode, {rounds} rounds (goal 2.5 for the examination)", columns, rows
        )
        names = ("decode", "sample", "end", "details", "colours", "thumbhash", "hash", "quality")
        self._table("Examination: CPU of its parts in ms, medians", ("original", *names), parts)

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
