"""The automaton of a regular expression, as a backtracking engine walks it.

The automaton is Glushkov's: one position for each character of the pattern, and an edge where one position may follow
another, with the number of ways from the one to the other. `search`, `sub`, `findall` and `split` start anew at every
byte: they are modelled by a first position that takes any byte any number of times.
"""

import re
from functools import lru_cache
from importlib import import_module
from math import inf
from typing import Any, NamedTuple

# Python's own parser of patterns, which type checkers know in some versions only
op: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

_COPIES = 4
"""A repeat of more than this is modelled as one without an end."""
_LETTERS = (*range(0x250), 0x661, 0x2028, 0x3000, 0xFF11, 0x1F600)
"""Code points that stand in for all, in patterns of text."""


class Position(NamedTuple):
    """A character of the pattern: the set of symbols it takes, as bits, and how often the repeats around it repeat."""

    symbols: int
    repeats: float


class Automaton:
    """Glushkov's automaton of a pattern: positions, and the number of ways from each to each that may follow it."""

    def __init__(self, pattern: str | bytes, flags: int = 0, *, searched: bool) -> None:
        self.tree = parser.parse(pattern, flags)
        self.flags = self.tree.state.flags
        self.alphabet = _alphabet(pattern)
        self.positions: list[Position] = []
        self._empty: list[list[int]] = []
        self._taken: list[tuple[int, int, int]] = []
        self._groups: dict[int, Any] = {}
        start = self._state()
        if searched:
            loop = self._state()
            self._empty[start].append(loop)
            self._take(start, (1 << len(self.alphabet)) - 1, start, inf)
            start = loop
        self._sequence(self.tree, start, 1)
        self.begins = self._ways(0)
        self.follows = [self._ways(target) for _, _, target in self._taken]

    def word(self, symbols: int) -> str:
        """Return one symbol of a set."""
        return chr(self.alphabet[(symbols & -symbols).bit_length() - 1])

    def _state(self) -> int:
        self._empty.append([])
        return len(self._empty) - 1

    def _take(self, source: int, symbols: int, target: int, repeats: float) -> None:
        self._taken.append((source, len(self.positions), target))
        self.positions.append(Position(symbols, repeats))

    def _sequence(self, items: Any, at: int, repeats: float) -> int:  # noqa: ANN401 - the parser's own tree
        for code, argument in items:
            at = self._item(code, argument, at, repeats)
        return at

    def _item(self, code: Any, argument: Any, at: int, repeats: float) -> int:  # noqa: ANN401
        if code in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY, op.CATEGORY):
            target = self._state()
            self._take(at, self._symbols(code, argument), target, repeats)
            return target
        if code is op.SUBPATTERN:
            group, added, removed, inner = argument
            if added or removed:
                raise NotImplementedError("flags of a group are not analysed")
            self._groups[group] = inner
            return self._sequence(inner, at, repeats)
        if code is op.GROUPREF:  # any text of the group's shape
            return self._sequence(self._groups[argument], at, repeats)
        if code is op.BRANCH:
            target = self._state()
            for branch in argument[1]:
                begin = self._state()
                self._empty[at].append(begin)
                self._empty[self._sequence(branch, begin, repeats)].append(target)
            return target
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._repeat(argument, at, repeats)
        if code is op.AT:
            return at
        raise NotImplementedError(f"{code} is not analysed")

    def _repeat(self, argument: Any, at: int, repeats: float) -> int:  # noqa: ANN401 - as above
        low, high, body = argument
        if high is not op.MAXREPEAT and high <= _COPIES:
            target, skips = at, []
            for copy in range(high):
                if copy >= low:
                    skips.append(target)
                target = self._sequence(body, target, repeats)
            end = self._state()
            for state in (*skips, target):
                self._empty[state].append(end)
            return end
        if body.getwidth()[0] == 0:
            raise ValueError("a repeat without an end around what may be empty")
        inner = inf if high is op.MAXREPEAT else repeats * high
        begin, end = self._state(), self._state()
        self._empty[at].append(begin)
        last = self._sequence(body, begin, inner)
        self._empty[last] += [begin, end]
        if low == 0:
            self._empty[at].append(end)
        return end

    def _ways(self, state: int) -> dict[int, int]:
        """Return the positions that can be taken next, each with the number of ways to it."""
        ways: dict[int, int] = {}
        waiting = [state]
        while waiting:
            at = waiting.pop()
            waiting += self._empty[at]
            for source, position, _ in self._taken:
                if source == at:
                    ways[position] = ways.get(position, 0) + 1
        return ways

    def _symbols(self, code: Any, argument: Any) -> int:  # noqa: ANN401 - as above
        takes = [self._takes(code, argument, point) for point in self.alphabet]
        return sum(1 << index for index, taken in enumerate(takes) if taken)

    def _takes(self, code: Any, argument: Any, point: int) -> bool:  # noqa: ANN401
        if code is op.ANY:
            return bool(self.flags & re.DOTALL) or point != ord("\n")
        if code is op.NOT_LITERAL:
            return not self._takes(op.LITERAL, argument, point)
        if code is op.IN:
            negated = argument[0][0] is op.NEGATE
            return any(self._takes(code, item, point) for code, item in argument[negated:]) != negated
        if code is op.CATEGORY:
            return _in_category(str(argument), point, self.flags & re.ASCII | isinstance(self.tree.state.str, bytes))
        low, high = argument if code is op.RANGE else (argument, argument)
        points = {point, *(map(ord, chr(point).swapcase()) if self.flags & re.IGNORECASE else ())}
        return any(low <= other <= high for other in points)


def _alphabet(pattern: str | bytes) -> tuple[int, ...]:
    if isinstance(pattern, bytes):
        return tuple(range(256))
    return tuple(sorted({*_LETTERS, *(ord(letter) + off for letter in pattern for off in (-1, 0, 1))}))


@lru_cache
def _in_category(name: str, point: int, ascii_only: int) -> bool:
    kind = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[name.rpartition("_")[2]]
    matched = re.fullmatch(kind, chr(point), re.ASCII if ascii_only else 0) is not None
    return matched != ("_NOT_" in name)
