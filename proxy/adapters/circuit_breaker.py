"""A circuit breaker without I/O: the clock is an argument, the decisions are return values.

Theory. A backend that is out costs each request its time-out, and the retries of many requests keep a struggling
backend down. After `limit` failures in a row calls are therefore blocked, and one probe is admitted per `pause_s` until
a probe succeeds. There is no half-open state to get stuck in: to admit a probe only moves the next probe one pause
away, so a probe that is cancelled and never reports costs one pause.

A caller with a deadline of its own cancels a call before the call can fail by itself. A backend that accepts
connections and never answers would then never count as failed, so a call that is cancelled after it has waited for
`patience_s` is a failure too. A call that is cancelled sooner is neither a failure nor a success.
"""

from collections.abc import Callable


class CircuitBreaker:
    """Counts failures in a row; for one event loop. `clock` returns monotonic seconds."""

    __slots__ = ("_clock", "_failures", "_limit", "_patience_s", "_pause_s", "_probe_at_s")

    def __init__(
        self, clock: Callable[[], float], limit: int = 3, pause_s: float = 1.0, patience_s: float = 0.5
    ) -> None:
        self._clock = clock
        self._limit = limit
        self._pause_s = pause_s
        self._patience_s = patience_s
        self._failures = 0
        self._probe_at_s = 0.0

    @property
    def closed(self) -> bool:
        """Whether all calls are admitted."""
        return self._failures < self._limit

    def admit(self) -> bool:
        """Return whether to call the backend now; while the breaker is open, True once per pause."""
        if self.closed:
            return True
        now_s = self._clock()
        if now_s < self._probe_at_s:
            return False
        self._probe_at_s = now_s + self._pause_s
        return True

    def record_success(self) -> None:
        """Record that the backend answered."""
        self._failures = 0

    def record_failure(self) -> None:
        """Record that the backend did not answer, or answered that it is out."""
        self._failures += 1
        self._probe_at_s = self._clock() + self._pause_s

    def record_cancellation(self, waited_s: float) -> None:
        """Record that a call was cancelled after it had waited `waited_s` for an answer."""
        if waited_s >= self._patience_s:
            self.record_failure()
