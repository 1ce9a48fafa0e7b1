"""What `darkroom serve` arranges around the server: descriptors, and an end within its time."""

import resource
import subprocess
import sys

import pytest
import structlog

from catalog.cli.serve import CLOSE_S, raise_open_file_limit
from proxy.app import FLUSH_S
from proxy.settings import Settings
from proxy.workers.supervisor import _CLOSE_DEADLINE_S

KUBERNETES_GRACE_S = 30


@pytest.mark.parametrize(
    ("before", "most", "now"),
    [
        ((1_024, 524_288), 65_536, (65_536, 524_288)),
        ((1_024, 4_096), 65_536, (4_096, 4_096)),
        ((1_024, resource.RLIM_INFINITY), 65_536, (65_536, resource.RLIM_INFINITY)),
        ((100_000, 524_288), 65_536, None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 65_536, None),
    ],
)
def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], most: int, now: tuple[int, int] | None
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: before)
    monkeypatch.setattr(resource, "setrlimit", lambda _, values: limits.append(values))
    with structlog.testing.capture_logs() as lines:
        raise_open_file_limit(most)
    assert limits == ([] if now is None else [now])
    expected = [] if now is None else [("raised the limit of open files", before[0], now[0])]
    assert [(line["event"], line["before"], line["now"]) for line in lines] == expected


def test_stopping_by_default_ends_before_kubernetes_kills() -> None:
    assert FLUSH_S + _CLOSE_DEADLINE_S < CLOSE_S
    assert Settings.model_fields["drain_s"].default + CLOSE_S < KUBERNETES_GRACE_S


def test_a_process_that_does_not_end_by_itself_is_ended() -> None:
    program = """
import threading
from catalog.cli.serve import exit_after
exit_after(0.05, lambda: print("logs are closed", flush=True))
threading.Event().wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False
    )
    assert done.returncode == 1
    assert b"logs are closed" in done.stdout
