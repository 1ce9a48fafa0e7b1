"""The circuit breaker, on a clock that the test turns."""

from proxy.adapters.circuit_breaker import CircuitBreaker


class Clock:
    """Tells what it is set to."""

    now_s = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock, limit=3, pause_s=1.0)
    for _ in range(3):
        breaker.failed()
    return breaker


def test_calls_flow_until_so_many_failures_in_a_row() -> None:
    breaker = CircuitBreaker(Clock(), limit=3)
    breaker.failed()
    breaker.failed()
    assert breaker.admit()
    breaker.failed()
    assert not breaker.admit()


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = CircuitBreaker(Clock(), limit=3)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
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
    breaker.succeeded()
    assert all(breaker.admit() for _ in range(5))


def test_a_probe_that_fails_costs_one_more_pause() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now_s += 1
    breaker.admit()
    clock.now_s += 0.5
    breaker.failed()
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
