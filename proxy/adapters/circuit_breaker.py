"""A circuit breaker, pure: a clock goes in, decisions come out.

Theory. A backend that is out costs each request its time-out, and the retries of many requests keep a
struggling backend down. So after `limit` failures in a row calls stop; then one probe is let through per
`pause_s`, until one of them succeeds. There is no half-open state to leave behind: admitting a probe merely
moves the next one a pause away, so a probe that is cancelled and never reports costs one pause.
"""

from collections.abc import Callable


class CircuitBreaker:
    """Counts failures in a row; for one event loop. `clock` tells monotonic seconds."""

    __slots__ = ("_clock", "_failures", "_limit", "_pause_s", "_probe_at_s")

    def __init__(self, clock: Callable[[], float], limit: int = 3, pause_s: float = 1.0) -> None:
        self._clock = clock
        self._limit = limit
        self._pause_s = pause_s
        self._failures = 0
        self._probe_at_s = 0.0

    @property
    def closed(self) -> bool:
        """Whether calls flow."""
        return self._failures < self._limit

    def admit(self) -> bool:
        """Tell whether to call the backend now; while the breaker is open, True once per pause."""
        if self.closed:
            return True
        now_s = self._clock()
        if now_s < self._probe_at_s:
            return False
        self._probe_at_s = now_s + self._pause_s
        return True

    def succeeded(self) -> None:
        """Note that the backend answered."""
        self._failures = 0

    def failed(self) -> None:
        """Note that the backend did not answer, or answered that it cannot."""
        self._failures += 1
        self._probe_at_s = self._clock() + self._pause_s
