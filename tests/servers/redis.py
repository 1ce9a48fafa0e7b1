"""Redis of the tests' own: one that all share, and ones that a test may hurt."""

import shutil
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.processes import Processes, StartError, free_port, kill, started, wait_until

if TYPE_CHECKING:
    import subprocess


def start_redis(folder: Path, processes: Processes) -> str:
    """Start a server; the URL of its database 0."""
    port = started(lambda fresh: _start_anywhere(fresh, processes), folder)
    return f"redis://127.0.0.1:{port}/0"


class OwnRedis:
    """A Redis that belongs to one test, to be stalled, killed and started again at the same address."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._log = folder / "redis.log"
        self._processes = processes
        self._port = free_port()
        self._server = _start(self._port, self._log, processes)

    @property
    def url(self) -> str:
        """The URL of its database 0."""
        return f"redis://127.0.0.1:{self._port}/0"

    def stall(self) -> None:
        """Let it take connections and answer nothing (SIGSTOP)."""
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `stall`."""
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; connections are refused from now on, and what it kept is gone."""
        kill(self._server)

    def start(self) -> None:
        """Start it again after `kill`, empty."""
        self._server = _start(self._port, self._log, self._processes)


def _start_anywhere(folder: Path, processes: Processes) -> int:
    port = free_port()
    _start(port, folder / "log", processes)
    return port


def _start(port: int, log: Path, processes: Processes) -> "subprocess.Popen[bytes]":
    if shutil.which("redis-server") is None:
        raise StartError("no redis-server here: run `python -m tests.servers.install`")
    command = ["redis-server", "--bind", "127.0.0.1", "--port", f"{port}", "--save", "", "--appendonly", "no"]
    server = processes.start(command, log)
    wait_until(lambda: _answers(port), server, log)
    return server


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
