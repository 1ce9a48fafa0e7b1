"""The circuit breaker, on a clock that the test sets."""

from proxy.adapters.circuit_breaker import CircuitBreaker


class Clock:
    """A clock that the test sets."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock, limit=3, pause_s=1.0)
    for _ in range(3):
        breaker.record_failure()
    return breaker


def test_calls_flow_until_so_many_failures_in_a_row() -> None:
    breaker = CircuitBreaker(Clock(), limit=3)
    breaker.record_failure()
    breaker.record_failure()
    assert breaker.admit()
    breaker.record_failure()
    assert not breaker.admit()


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = CircuitBreaker(Clock(), limit=3)
    for _ in range(5):
        breaker.record_failure()
        breaker.record_failure()
        breaker.record_success()
    assert breaker.admit()


def test_one_probe_is_let_through_per_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 0.99
    assert not breaker.admit()
    clock.now_s += 0.01
    assert [breaker.admit() for _ in range(5)] == [True, False, False, False, False]


def test_a_probe_that_succeeds_lets_all_calls_through() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 1
    breaker.admit()
    breaker.record_success()
    assert all(breaker.admit() for _ in range(5))


def test_a_probe_that_fails_costs_one_more_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 1
    breaker.admit()
    clock.now_s += 0.5
    breaker.record_failure()
    clock.now_s += 0.9
    assert not breaker.admit()
    clock.now_s += 0.1
    assert breaker.admit()


def test_a_probe_that_never_reports_costs_one_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 1
    assert breaker.admit()
    clock.now_s += 1
    assert breaker.admit()


def test_a_call_that_is_cancelled_after_a_long_wait_is_a_failure() -> None:
    breaker = CircuitBreaker(Clock(), limit=3, patience_s=0.5)
    for _ in range(3):
        breaker.record_cancellation(0.5)
    assert not breaker.admit()


def test_a_call_that_is_cancelled_soon_says_nothing() -> None:
    breaker = CircuitBreaker(Clock(), limit=3, patience_s=0.5)
    breaker.record_failure()
    breaker.record_failure()
    for _ in range(10):
        breaker.record_cancellation(0.49)
    assert breaker.admit()
    breaker.record_failure()
    assert not breaker.admit()
