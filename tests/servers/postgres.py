"""A PostgreSQL server for the tests. PostgreSQL refuses to run as root, so root runs it as its package's user."""

import os
import shutil
import signal
from pathlib import Path

from tests.servers.processes import Processes, StartError, free_port, started, tail, wait_until

_FAST = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=200",
    "dynamic_shared_memory_type=mmap",
)
"""No data outlives the tests, so nothing is made durable, and shared memory is in files of the server's folder."""


def start_postgres(folder: Path, processes: Processes) -> str:
    """Start a server; return the SQLAlchemy URL (asyncpg) of its database `postgres`."""
    port = started(lambda fresh: _start(fresh, processes), folder)
    return f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"


def binaries() -> Path | None:
    """Return the folder of the newest installed server's programs: Debian's own folders first, then the PATH."""
    installed = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if (folder / "initdb").exists()]
    if installed:
        return max(installed, key=lambda folder: float(folder.parent.name))
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def _start(folder: Path, processes: Processes) -> int:
    programs = binaries()
    if programs is None:
        raise StartError("PostgreSQL is not installed. Run `python -m tests.servers.install`.")
    user = "postgres" if os.geteuid() == 0 else ""
    if user:
        shutil.chown(folder, user)
    log, data, port = folder / "log", folder / "data", free_port()
    initdb = [f"{programs}/initdb", "-D", f"{data}", "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C"]
    processes.run([*initdb, "--no-sync"], log, user=user)
    settings = [*_FAST, f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
    options = [word for setting in settings for word in ("-c", setting)]
    command = [f"{programs}/postgres", "-D", f"{data}", *options]
    # SIGQUIT is the immediate shutdown: a postmaster that is killed leaves shared memory behind
    server = processes.start(command, log, user=user, stop_with=signal.SIGQUIT)
    wait_until(lambda: "ready to accept connections" in tail(log), server, log)
    return port
