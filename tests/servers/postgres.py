"""PostgreSQL of the tests' own. It refuses to run as root, so root runs it as the user its package brings."""

import os
import shutil
import signal
from pathlib import Path

from tests.servers.processes import Processes, StartError, free_port, started, tail, wait_until

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


def start_postgres(folder: Path, processes: Processes) -> str:
    """Start a server; the SQLAlchemy URL of its database `postgres`."""
    port = started(lambda fresh: _start(fresh, processes), folder)
    return f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"


def binaries() -> Path | None:
    """Find the newest server's programs, where Debian keeps them or on the path."""
    installed = [one for one in Path("/usr/lib/postgresql").glob("*/bin") if (one / "initdb").exists()]
    if installed:
        return max(installed, key=lambda one: float(one.parent.name))
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _start(folder: Path, processes: Processes) -> int:
    programs = binaries()
    if programs is None:
        raise StartError("no PostgreSQL server here: run `python -m tests.servers.install`")
    user = "postgres" if os.geteuid() == 0 else ""
    if user:
        shutil.chown(folder, user)
    log, data, port = folder / "log", folder / "data", free_port()
    initdb = [f"{programs}/initdb", "-D", f"{data}", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C"]
    processes.run([*initdb, "--no-sync"], log, user=user)
    settings = [*_FAST, f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
    options = [word for setting in settings for word in ("-c", setting)]
    command = [f"{programs}/postgres", "-D", f"{data}", *options]
    # SIGQUIT is its immediate shutdown: a postmaster that is killed leaves shared memory behind
    server = processes.start(command, log, user=user, stop_with=signal.SIGQUIT)
    wait_until(lambda: "ready to accept connections" in tail(log), server, log)
    return port
