"""Small memories with a bound: recently used values, and values that expire."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `size` values; the least recently used goes first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Give the value and make it the most recent, or None."""
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Keep a value."""
        self._held[key] = value
        self._held.move_to_end(key)
        if len(self._held) > self._size:
            self._held.popitem(last=False)


class Passing(Generic[Key, Value]):
    """At most `size` values, each for `lifetime_s`; `clock` counts seconds."""

    def __init__(self, size: int, lifetime_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._recent: Recent[Key, tuple[float, Value]] = Recent(size)
        self._lifetime_s = lifetime_s
        self._clock = clock

    def get(self, key: Key) -> Value | None:
        """Give the value while it lives, or None."""
        held = self._recent.get(key)
        return held[1] if held is not None and self._clock() < held[0] else None

    def put(self, key: Key, value: Value) -> None:
        """Keep a value from now on."""
        self._recent.put(key, (self._clock() + self._lifetime_s, value))
