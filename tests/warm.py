"""A process that has imported everything the `darkroom` command needs, and forks a child for each command.

Imports take most of a short command's time, and half of a server's start. A forked command still is a process of its
own, with its own environment, working folder, output and exit code. Requests and answers are lines of JSON on the
process's standard input and output.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import IO, Any

from sqlalchemy.orm import configure_mappers
from typer.main import get_command

from catalog.cli.main import app, main
from proxy.settings import Settings

_FIRST = 3
"""The first descriptor after the three standard ones."""
_LAST = 256
_EXCLUDED = (
    "catalog.demo.service",
    "catalog.records.migrations.env",
    "catalog.records.migrations.versions",
    "proxy.pixels",
)
"""Not imported: libvips, which must not be in the server's process, and scripts that Alembic runs."""
_BY_NAME = (
    "aiosqlite",
    "alembic.ddl.sqlite",
    "alembic.ddl.postgresql",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "uvloop",
)
"""Imported by other packages when they are first used."""
_PR_SET_PDEATHSIG = 1
_POLL_S = 0.01


class Warm:
    """Starts commands; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, words: list[str], environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        with TemporaryDirectory() as place:
            out, err = Path(place) / "out", Path(place) / "err"
            code = self._request(_command(words, environment, folder, out, err) | {"wait": True})
            return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    def start(self, words: list[str], environment: dict[str, str], folder: Path, err: Path) -> "Forked":
        """Start a command whose standard error goes to a file or a named pipe."""
        return Forked(self, self._request(_command(words, environment, folder, Path(os.devnull), err)))

    def poll(self, pid: int) -> int | None:
        """Return the exit code of a started command that has ended, else None."""
        code: int | None = self._request({"pid": pid})
        return code

    def _request(self, message: dict[str, Any]) -> Any:  # noqa: ANN401 - a process id, an exit code or None
        with self._lock:
            requests, answers = _pipes(self._process)
            requests.write(json.dumps(message) + "\n")
            requests.flush()
            return json.loads(answers.readline())

    def close(self) -> None:
        """End the process; the commands that still run are killed with it."""
        for pipe in _pipes(self._process):
            pipe.close()
        self._process.wait()


@dataclass(slots=True)
class Forked:
    """A running command, with the methods of `subprocess.Popen`."""

    warm: Warm
    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        if self.returncode is None:
            self.returncode = self.warm.poll(self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Return the exit code; raise TimeoutExpired after `timeout` seconds."""
        ends = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > ends:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(_POLL_S)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


@cache
def warm() -> Warm:
    """Return the process of this run, started on first use and ended with the run."""
    process = Warm()
    atexit.register(process.close)
    return process


def _command(words: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path) -> dict[str, Any]:
    return {"words": words, "environment": environment, "folder": str(folder), "out": str(out), "err": str(err)}


def _pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process was started without pipes")
    return process.stdin, process.stdout


def _prepare() -> None:
    for package in (importlib.import_module("proxy"), importlib.import_module("catalog")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_EXCLUDED):
                importlib.import_module(module.name)
    for name in _BY_NAME:
        importlib.import_module(name)
    # the first settings, tables and commands of a process fill caches of their libraries: 0.2 s
    with suppress(ValueError):
        Settings()
    configure_mappers()
    get_command(app)
    gc.freeze()


def _serve() -> None:
    """Answer one request a line, until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(f"{json.dumps(_answer(request))}\n")
        sys.stdout.flush()


def _answer(request: dict[str, Any]) -> int | None:
    if "pid" in request:
        return _exit_code(request["pid"], os.WNOHANG)
    child = os.fork()
    if not child:
        _become(request)
    return _exit_code(child, 0) if request.get("wait") else child


def _exit_code(child: int, options: int) -> int | None:
    pid, status = os.waitpid(child, options)
    return os.waitstatus_to_exitcode(status) if pid else None


def _become(request: dict[str, Any]) -> None:
    """Run the command in this process, and end with its exit code."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for descriptor, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["out"], flags),
        (2, request["err"], flags),
    ):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, descriptor)
    os.closerange(_FIRST, _LAST)
    sys.argv = ["darkroom", *request["words"]]
    code: object = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = 0 if end.code is None else end.code
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _prepare()
    _serve()
