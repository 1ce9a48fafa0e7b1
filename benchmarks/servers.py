"""The measured servers: each is a process, and stops when its context ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from proxy.core.url.signing import SigningKey

TENANT = "bench"
_SECRET = "correct-horse-battery-staple"
_KEY = SigningKey.derive(_SECRET)
_START_S, _STOP_S = 60.0, 20.0
_DARKROOM = str(Path(sys.executable).with_name("darkroom"))

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    default_type image/webp;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""


class Missing(Exception):
    """A program that the benchmarks need is not installed, or does not start."""


def require(*programs: str) -> None:
    """Raise Missing, with the command that installs them, if programs are missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        install = "apt-get install -y --no-install-recommends nginx-light wrk"
        raise Missing(f"{' and '.join(missing)} not installed. As root, run {install}.")


@dataclass
class Server:
    """A process that listens on a port of 127.0.0.1."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def pid(self) -> int:
        """The process that does the work: the process itself, or nginx's only worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return int(children.split()[0]) if self.process.args[0] == "nginx" else self.process.pid  # type: ignore[index]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def darkroom(home: Path, **settings: str) -> Server:
    """Start `darkroom serve` on a home folder; settings have the names of `proxy.settings`."""
    port = free_port()
    return start([_DARKROOM, "serve", "--port", str(port)], port, home / "serve.log", _environment(home, settings))


def nginx(folder: Path, target: str, body: bytes) -> Server:
    """Start nginx with one worker and the bytes as a static file under the target's path."""
    file = folder / "www" / target.partition("?")[0].lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_bytes(body)
    for parent in (folder, *folder.parents):  # the worker runs as another user
        with suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o011)
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port), encoding="utf-8")
    return start(["nginx", "-p", str(folder), "-c", str(configuration)], port, folder / "nginx.out", os.environ)


def trivial(folder: Path, body: bytes) -> Server:
    """Start `benchmarks.trivial`, which answers every request with the bytes."""
    file, port = folder / "trivial.webp", free_port()
    file.write_bytes(body)
    command = [sys.executable, "-m", "benchmarks.trivial", str(port), str(file)]
    return start(command, port, folder / "trivial.log", os.environ)


def set_up_tenant(home: Path) -> None:
    """Create the tenant of all requests."""
    _run(home, "tenant", "create", TENANT, "--secret", _SECRET)


def create_tokens(home: Path, count: int) -> list[str]:
    """Create API tokens of the tenant that may upload."""
    create = ("token", "create", "--tenant", TENANT, "--role", "contributor", "--json")
    return [json.loads(_run(home, *create))["token"] for _ in range(count)]


def upload(home: Path, files: Sequence[Path]) -> list[str]:
    """Upload originals; return their names."""
    lines = _run(home, "upload", *map(str, files), "--tenant", TENANT, "--json").splitlines()
    return [json.loads(line)["original"] for line in lines]


def sealed(original: str, recipe: str) -> str:
    """Return the path and query of a signed URL."""
    path = f"/t/{TENANT}/{original}/{recipe}"
    return f"{path}?s={_KEY.seal(path)}"


def _run(home: Path, *arguments: str) -> str:
    completed = subprocess.run([_DARKROOM, *arguments], env=_environment(home, {}), check=True, stdout=subprocess.PIPE)
    return completed.stdout.decode()


def _environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM_")}
    ours: dict[str, Any] = {"home": home, "log_format": "json", **settings}
    return foreign | {f"DARKROOM_{name.upper()}": str(value) for name, value in ours.items()}


def start(command: list[str], port: int, log: Path, environment: Mapping[str, str]) -> Server:
    """Start a program and wait until it listens; raise Missing, with the end of its log, if it does not."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environment)
        )
    deadline = monotonic() + _START_S
    while not _listens(port):
        if process.poll() is not None or monotonic() > deadline:
            process.kill()
            raise Missing(f"{command[0]} does not start:\n{log.read_text(errors='replace')[-2000:]}")
        sleep(0.02)
    return Server(process, port)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
