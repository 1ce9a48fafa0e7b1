"""Server processes: each in its own session, and none outlives pytest.

Three measures prevent leftovers. `Processes` stops its processes when its context ends, by Ctrl-C too. The kernel
kills each process when the thread that started it ends (PR_SET_PDEATHSIG, prctl(2)), so also when pytest is killed.
A stopped `Processes` starts nothing more.
"""

import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Self, TypeVar

_TAIL_BYTES = 3_000
_STOP_S = 5.0
_ATTEMPTS = 3
_T = TypeVar("_T")


class StartError(Exception):
    """A server did not start; the text ends with its last log lines."""


class Processes:
    """A context of processes; thread-safe, because servers start in parallel."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self, command: Sequence[str], log: Path, *, user: str = "", stop_with: signal.Signals = signal.SIGKILL
    ) -> subprocess.Popen[bytes]:
        """Start a server in the foreground, as `user` if one is given; its output is appended to `log`."""
        as_user = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--init-groups"] if user else []
        with self._lock, log.open("ab") as output:
            if self._stopped:
                raise StartError("The tests are being stopped.")
            process = subprocess.Popen(
                ["setpriv", *as_user, "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C"},
            )
            self._running.append((process, stop_with))
        return process

    def run(self, command: Sequence[str], log: Path, *, user: str = "", timeout_s: float = 60.0) -> None:
        """Run a command to its end; raise StartError if it fails or takes longer than `timeout_s`."""
        process = self.start(command, log, user=user)
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            kill(process)
            status = None
        if status != 0:
            raise StartError(f"{' '.join(command)}: status {status}\n{tail(log)}")

    def stop(self) -> None:
        """Stop all processes, the youngest first; kill a process that does not stop, with its session."""
        with self._lock:
            self._stopped = True
            running = self._running[::-1]
            self._running.clear()
        for process, stop_with in running:
            if process.poll() is None:
                process.send_signal(stop_with)
        for process, _ in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its session, and wait for its end."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_STOP_S)


def free_port() -> int:
    """Return a port that is free now. Another process may take it first, so callers retry a failed start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, timeout_s: float = 60.0) -> None:
    """Wait until `ready` returns true; raise StartError if the process ends first, or after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise StartError(f"{process.args!r}: status {process.poll()}\n{tail(log)}")
        time.sleep(0.02)


def started(start: Callable[[Path], _T], folder: Path) -> _T:
    """Call `start` with a new folder, and again if it fails: its port may have been taken meanwhile."""
    for attempt in range(_ATTEMPTS):
        fresh = folder / str(attempt)
        fresh.mkdir(parents=True)
        try:
            return start(fresh)
        except StartError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    return log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace") if log.exists() else "(no log)"
