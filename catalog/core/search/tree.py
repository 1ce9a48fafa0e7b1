"""The tree of a search. `str(node)` is its canonical text, and parses to the same tree again."""

from dataclasses import dataclass
from typing import Final, Self

QUOTED: Final = frozenset('()":*')
"""Characters that a bare word cannot contain, beside blanks."""
DECIMALS: Final = 6
"""Decimals that a number keeps."""
_RESERVED: Final = frozenset({"OR", "NOT"})


@dataclass(frozen=True, slots=True)
class Text:
    """A word or a phrase; `prefix` matches what begins with it."""

    text: str
    phrase: bool = False
    prefix: bool = False

    @classmethod
    def of(cls, text: str, *, prefix: bool = False) -> Self:
        """Return a word, or a phrase where the text cannot be written without quotation marks."""
        return cls(text, not is_bare(text), prefix)

    def __str__(self) -> str:
        """Return it as it is written."""
        star = "*" if self.prefix else ""
        return f"{in_quotes(self.text) if self.phrase else self.text}{star}"


@dataclass(frozen=True, slots=True)
class Span:
    """The time from now back, in seconds: `7d`."""

    amount: int
    unit: str

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.amount}{self.unit}"


@dataclass(frozen=True, slots=True)
class Date:
    """A year, a month or a day in UTC: all moments in it."""

    year: int
    month: int | None = None
    day: int | None = None

    def __str__(self) -> str:
        """Return it as it is written (ISO 8601)."""
        parts = (f"{self.year:04d}", *(f"{part:02d}" for part in (self.month, self.day) if part is not None))
        return "-".join(parts)


Bound = int | float | Date
"""What a range ends at; numbers are finite."""


@dataclass(frozen=True, slots=True)
class Range:
    """Values between two ends; None is open. An end belongs to the range unless it is told otherwise."""

    low: Bound | None
    high: Bound | None
    low_open: bool = False
    high_open: bool = False

    def __str__(self) -> str:
        """Return it as it is written."""
        if self.low is not None and self.low == self.high:
            return spelled(self.low)
        if self.low is not None and self.high is not None:
            return f"{spelled(self.low)}..{spelled(self.high)}"
        if self.low is not None:
            return f"{'>' if self.low_open else '>='}{spelled(self.low)}"
        return f"{'<' if self.high_open else '<='}{spelled(self.high)}" if self.high is not None else ""


Value = Text | Span | Range


@dataclass(frozen=True, slots=True)
class Field:
    """A condition on one field; `key` is the key of `meta`."""

    name: str
    value: Value
    key: str = ""

    def __str__(self) -> str:
        """Return it as it is written."""
        key = self.key if is_bare(self.key) else in_quotes(self.key)
        return f"{self.name}.{key}:{self.value}" if self.key else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class Not:
    """What its node does not match."""

    node: "Node"

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"-{_inner(self.node)}"


@dataclass(frozen=True, slots=True)
class And:
    """What all of at least two nodes match."""

    nodes: tuple["Node", ...]

    def __str__(self) -> str:
        """Return it as it is written."""
        return " ".join(f"({node})" if isinstance(node, And | Or) else str(node) for node in self.nodes)


@dataclass(frozen=True, slots=True)
class Or:
    """What one of at least two nodes matches."""

    nodes: tuple["Node", ...]

    def __str__(self) -> str:
        """Return it as it is written."""
        return " OR ".join(f"({node})" if isinstance(node, Or) else str(node) for node in self.nodes)


Node = Text | Field | Not | And | Or


def is_bare(text: str) -> bool:
    """Return whether a text can be written without quotation marks."""
    if not text or text in _RESERVED or text[0] == "-":
        return False
    return not any(character in QUOTED or character.isspace() for character in text)


def in_quotes(text: str) -> str:
    """Return a text in quotation marks; marks and backslashes in it have a backslash before them."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def spelled(bound: Bound) -> str:
    """Return a bound as it is written: integers without a point."""
    return f"{bound:.{DECIMALS}f}".rstrip("0").rstrip(".") if isinstance(bound, float) else str(bound)


def _inner(node: Node) -> str:
    return f"({node})" if isinstance(node, And | Or | Not) else str(node)
