"""Interleaved rounds: A B A B …, so that a noisy minute harms both sides; medians of ratios, not ratios of medians."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with what it lies between."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Sum up one value a round."""
        return cls(median(values), min(values), max(values))

    def told(self, digits: int = 2) -> str:
        """Give `median (low–high)`."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def interleave(rounds: int, runs: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Run all sides once a round, every other round in the opposite order; give each side's rates by round."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
            rates[name].append(runs[name]())
    return rates


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Compare each round with its own neighbour."""
    return Spread.of([one / other for one, other in zip(ours, theirs, strict=True)])
