"""Redis servers for the tests: one per process, and ones that a single test may stall and kill."""

import shutil
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.processes import Processes, StartError, free_port, kill, started, wait_until

if TYPE_CHECKING:
    import subprocess


def start_redis(folder: Path, processes: Processes) -> str:
    """Start a server; return the URL of its database 0."""
    port = started(lambda fresh: _start_anywhere(fresh, processes), folder)
    return f"redis://127.0.0.1:{port}/0"


class OwnRedis:
    """A Redis that belongs to one test, which may stall it, kill it and start it again at the same address."""

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
        """Stop the process (SIGSTOP): connections are accepted by the kernel and never answered."""
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `stall`."""
        self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the process: connections are refused, and its data is lost."""
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
        raise StartError("redis-server is not installed. Run `python -m tests.servers.install`.")
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
