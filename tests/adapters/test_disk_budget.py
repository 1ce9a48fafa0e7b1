"""A budget for derivatives on disk: what was not used for the longest is evicted, across restarts."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.adapters.files import FileDerivatives
from proxy.adapters.files.disk_budget import DiskBudget
from proxy.adapters.files.tree import walk
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import WEBP
from tests.adapters.samples import ACME, LIMIT_BYTES, key
from tests.patience import until

NOW_S = 1_800_000_000.0
BLOCK_BYTES = 4096
FILES = 100
BUDGET_BYTES = FILES * BLOCK_BYTES
PICTURE = Derivative(bytes(3000), WEBP, 1, 1)
"""With its envelope it takes one block."""


def write(folder: Path, name: str, age_s: float) -> Path:
    path = folder / name[:1] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    return path


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and ".incoming" not in path.parts]


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[DiskBudget]:
    budget = DiskBudget(tmp_path, BUDGET_BYTES, clock=lambda: NOW_S)
    yield budget
    budget.close()


def test_the_least_recently_used_are_evicted_down_to_85_percent(budget: DiskBudget, tmp_path: Path) -> None:
    # a day apart, so that each is in a class of its own
    paths = [write(tmp_path, f"{number % 10}-{number}", age_s=86_400 * (1 + number) ** 2) for number in range(FILES)]
    budget.evict()
    assert budget.used_bytes == 85 * BLOCK_BYTES
    assert sorted(files_in(tmp_path)) == sorted(paths[:85])


def test_files_of_one_age_are_evicted_no_further_than_needed(budget: DiskBudget, tmp_path: Path) -> None:
    for number in range(FILES):
        write(tmp_path, f"{number}", age_s=60.0)
    budget.evict()
    assert len(files_in(tmp_path)) == 85


def test_a_folder_within_its_budget_is_counted_and_left(budget: DiskBudget, tmp_path: Path) -> None:
    for number in range(95):
        write(tmp_path, f"{number}", age_s=1e9)
    budget.evict()
    assert (len(files_in(tmp_path)), budget.used_bytes) == (95, 95 * BLOCK_BYTES)


def test_an_eviction_leaves_no_empty_folder(budget: DiskBudget, tmp_path: Path) -> None:
    for number in range(FILES):
        write(tmp_path, f"{'old' if number < 20 else 'new'}{number}", age_s=1e6 if number < 20 else 1.0)
    (tmp_path / "o").rename(tmp_path / "old")
    (tmp_path / "o").mkdir()
    for path in list((tmp_path / "old").iterdir())[:5]:
        path.unlink()
    for number in range(FILES, FILES + 5):
        write(tmp_path, f"new{number}", age_s=1.0)
    budget.evict()
    assert len(files_in(tmp_path)) == 85
    assert not (tmp_path / "old").exists()


@pytest.fixture
def idle_budget(budget: DiskBudget, monkeypatch: pytest.MonkeyPatch) -> DiskBudget:
    """Provide a budget that does not evict in the background."""
    monkeypatch.setattr(budget, "_queue_eviction", lambda: None)
    return budget


def test_nothing_is_reserved_beyond_the_budget(idle_budget: DiskBudget) -> None:
    assert [idle_budget.reserve(1) for _ in range(FILES + 3)] == [True] * FILES + [False] * 3


def test_what_is_released_can_be_reserved_again(idle_budget: DiskBudget) -> None:
    for _ in range(FILES):
        idle_budget.reserve(1)
    assert not idle_budget.reserve(1)
    idle_budget.release(BLOCK_BYTES)
    assert idle_budget.reserve(1)


def test_a_file_that_was_reserved_before_the_walk_and_written_after_it_counts(
    budget: DiskBudget, tmp_path: Path
) -> None:
    assert budget.reserve(1)
    budget.evict()
    assert budget.used_bytes == BLOCK_BYTES
    write(tmp_path, "1", age_s=0)
    budget.confirm(1)
    budget.evict()
    assert budget.used_bytes == BLOCK_BYTES


def test_what_was_reserved_and_not_written_is_given_back(budget: DiskBudget) -> None:
    assert budget.reserve(1)
    budget.cancel(1)
    assert budget.used_bytes == 0
    budget.evict()
    assert budget.used_bytes == 0


def test_without_a_budget_everything_is_reserved(tmp_path: Path) -> None:
    budget = DiskBudget(tmp_path, 0)
    assert all(budget.reserve(2**40) for _ in range(10))
    budget.close()


def test_an_eviction_that_fails_is_logged_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = DiskBudget(tmp_path, BUDGET_BYTES)
    walk = "proxy.adapters.files.disk_budget.walk"
    with monkeypatch.context() as broken:
        broken.setattr(walk, lambda _: 1 / 0)
        budget._evict_logged()
    assert "eviction failed" in capsys.readouterr().out
    write(tmp_path, "a", 1.0)
    budget._evict_logged()
    assert budget.used_bytes == BLOCK_BYTES
    budget.close()


@pytest.fixture
def open_derivatives(tmp_path: Path) -> Iterator[Callable[..., FileDerivatives]]:
    """Open the derivatives of one folder, as often as the test restarts the process."""
    opened: list[FileDerivatives] = []

    def open_(clock: Callable[[], float], budget_bytes: int = BUDGET_BYTES) -> FileDerivatives:
        opened.append(FileDerivatives(tmp_path, LIMIT_BYTES, budget_bytes, clock))
        return opened[-1]

    yield open_
    for derivatives in opened:
        derivatives.close()


async def test_puts_never_fill_more_than_the_budget(
    open_derivatives: Callable[..., FileDerivatives], tmp_path: Path
) -> None:
    derivatives = open_derivatives(lambda: NOW_S)
    for number in range(3 * FILES):
        await derivatives.put(key(str(number)), PICTURE)
        assert sum(file.size_bytes for file in walk(tmp_path / "derivatives")) <= BUDGET_BYTES
    await until(lambda: derivatives.used_bytes <= 0.95 * BUDGET_BYTES)
    assert len(files_in(tmp_path)) >= 80


async def test_after_a_restart_what_is_there_counts(
    open_derivatives: Callable[..., FileDerivatives], tmp_path: Path
) -> None:
    before = open_derivatives(lambda: NOW_S, budget_bytes=0)
    for number in range(50):
        await before.put(key(str(number)), PICTURE)
    after = open_derivatives(lambda: NOW_S)
    await until(lambda: after.used_bytes == 50 * BLOCK_BYTES)
    smaller = open_derivatives(lambda: NOW_S, budget_bytes=20 * BLOCK_BYTES)
    await until(lambda: len(files_in(tmp_path)) == 17)
    await until(lambda: smaller.used_bytes == 17 * BLOCK_BYTES)


async def test_a_hit_makes_a_derivative_recently_used(
    open_derivatives: Callable[..., FileDerivatives], tmp_path: Path
) -> None:
    derivatives = open_derivatives(lambda: NOW_S, budget_bytes=0)
    for number in range(50):
        await derivatives.put(key(str(number)), PICTURE)
        os.utime(tmp_path / "derivatives" / key(str(number)), (NOW_S - 1e6 - number, NOW_S - 1e6 - number))
    assert await derivatives.get(key("49")) == PICTURE
    open_derivatives(lambda: NOW_S, budget_bytes=2 * BLOCK_BYTES)
    await until(lambda: len(files_in(tmp_path)) == 1)
    assert await derivatives.get(key("49")) == PICTURE


async def test_a_hit_of_the_same_hour_writes_nothing(
    open_derivatives: Callable[..., FileDerivatives], tmp_path: Path
) -> None:
    derivatives = open_derivatives(lambda: NOW_S)
    await derivatives.put(key("one"), PICTURE)
    path = tmp_path / "derivatives" / key("one")
    os.utime(path, (NOW_S - 3599, NOW_S - 3599))
    await derivatives.get(key("one"))
    assert path.stat().st_mtime == NOW_S - 3599


async def test_what_is_purged_no_longer_counts(open_derivatives: Callable[..., FileDerivatives]) -> None:
    derivatives = open_derivatives(lambda: NOW_S)
    await until(lambda: derivatives.used_bytes == 0)
    for number in range(10):
        await derivatives.put(key(str(number)), PICTURE)
    assert derivatives.used_bytes == 10 * BLOCK_BYTES
    await derivatives.purge(ACME)
    assert derivatives.used_bytes == 0


async def test_the_first_count_misses_nothing_that_is_put_meanwhile(tmp_path: Path) -> None:
    derivatives = FileDerivatives(tmp_path, LIMIT_BYTES, BUDGET_BYTES)
    for number in range(30):
        await derivatives.put(key(str(number)), PICTURE)
    assert derivatives.used_bytes >= 30 * BLOCK_BYTES
    derivatives.close()
