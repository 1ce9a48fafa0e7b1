"""Interleaved rounds, A B A B …: noise of the machine affects both sides. Ratios are medians of the rounds' ratios."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, with the smallest and the largest value."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of one value for each round."""
        return cls(median(values), min(values), max(values))

    def text(self, digits: int = 2) -> str:
        """Return `median (low–high)`."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def interleave(rounds: int, runs: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Run all sides once each round, every second round in reverse order; return each side's rates."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
            rates[name].append(runs[name]())
    return rates


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return the ratio of two sides, round by round."""
    return Spread.of([left / right for left, right in zip(ours, theirs, strict=True)])
