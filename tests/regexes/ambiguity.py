"""Ambiguity of an automaton: how often a backtracking engine may come back to one byte.

Theory. A backtracking engine tries every path through the pattern's automaton before it reports a failure, so its time
is the number of paths over a word (Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular
Expression Matchers by Using Ambiguity of NFA", CIAA 2016).

* Exponential: two different paths lead from a position back to itself over the same word.
* Polynomial: over the same word, position p leads to itself and to another position q, and q leads to itself.

A repeat of at most `CONSTANT` multiplies the time by a constant: it counts for exponential ambiguity alone.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.regexes.automaton import Automaton

CONSTANT = 256
"""Longest repeat that is taken as a constant factor."""


def ambiguity(automaton: Automaton) -> str:
    """Return "" for a pattern that is linear on every word, else "exponential" or "polynomial", with a word of it."""
    components = _components(automaton.follows)
    return _exponential(automaton, components) or _polynomial(automaton, components)


def attacks(automaton: Automaton, length: int) -> Iterator[str]:
    """Return words of `length` that lead into each repeat, go round it, and then fail."""
    for component in _components(automaton.follows):
        target = component[0]
        prefix = _path(automaton, automaton.begins, target)
        pump = _path(automaton, automaton.follows[target], target)
        for repeated in {pump, prefix + pump, prefix}:
            yield (prefix + repeated * (length // max(1, len(repeated))))[:length] + "\0\n"


def _path(automaton: Automaton, begins: dict[int, int], target: int) -> str:
    """Return a shortest word that ends with the position `target`."""
    paths: dict[int, tuple[int, ...]] = {position: (position,) for position in begins}
    waiting = list(paths)
    for at in waiting:
        if at == target:
            break
        for following in automaton.follows[at]:
            if following not in paths:
                paths[following] = (*paths[at], following)
                waiting.append(following)
    return "".join(automaton.word(automaton.positions[position].symbols) for position in paths[target])


def _exponential(automaton: Automaton, components: list[list[int]]) -> str:
    follows, positions = automaton.follows, automaton.positions
    for component in components:
        inside = set(component)
        for at in component:
            for following, ways in follows[at].items():
                if following in inside and ways > 1:
                    return f"exponential: two ways to {automaton.word(positions[following].symbols)!r}"
        pairs = {
            (first, second): [
                (left, right)
                for left, right in product(follows[first].keys() & inside, follows[second].keys() & inside)
                if positions[left].symbols & positions[right].symbols
            ]
            for first, second in product(component, repeat=2)
        }
        for circle in _components_of(pairs):
            apart = next((pair for pair in circle if pair[0] != pair[1]), None)
            if apart and any(left == right for left, right in circle):
                both = positions[apart[0]].symbols & positions[apart[1]].symbols
                return f"exponential: two paths over {automaton.word(both)!r}"
    return ""


def _polynomial(automaton: Automaton, components: list[list[int]]) -> str:
    unbounded = [part for part in components if automaton.positions[part[0]].repeats > CONSTANT]
    for first, second in product(unbounded, unbounded):
        if first is not second:
            for p, q in product(first, second):
                if _leads_over(automaton, p, q, set(first), set(second)):
                    return f"polynomial: {automaton.word(automaton.positions[q].symbols)!r} fits two repeats"
    return ""


def _leads_over(automaton: Automaton, p: int, q: int, first: set[int], second: set[int]) -> bool:
    """Return whether some word leads from p to p, from p to q and from q to q."""
    follows, positions = automaton.follows, automaton.positions
    waiting = [(p, p, q)]
    known = set(waiting)
    for x, y, z in waiting:
        for following in product(follows[x].keys() & first, follows[y], follows[z].keys() & second):
            a, b, c = following
            if following in known or not positions[a].symbols & positions[b].symbols & positions[c].symbols:
                continue
            if following == (p, q, q):
                return True
            known.add(following)
            waiting.append(following)
    return False


def _components(follows: list[dict[int, int]]) -> list[list[int]]:
    return _components_of({at: list(following) for at, following in enumerate(follows)})


def _components_of(graph: dict[Any, list[Any]]) -> list[list[Any]]:
    """Return the strongly connected components that contain a cycle (Tarjan, without recursion)."""
    order: dict[Any, int] = {}
    low: dict[Any, int] = {}
    stack: list[Any] = []
    components = []
    for root, following in graph.items():
        work = [] if root in order else [(root, iter(following))]
        if work:
            order[root] = low[root] = len(order)
            stack.append(root)
        while work:
            at, remaining = work[-1]
            for node in remaining:
                if node not in order:
                    order[node] = low[node] = len(order)
                    stack.append(node)
                    work.append((node, iter(graph[node])))
                    break
                if node in stack:
                    low[at] = min(low[at], order[node])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == order[at]:
                    cut = stack.index(at)
                    component, stack[cut:] = stack[cut:], []
                    if len(component) > 1 or at in graph[at]:
                        components.append(component)
    return components
