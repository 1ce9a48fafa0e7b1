"""`darkroom serve` as a process, and the requests of users, CDNs and attackers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import itsdangerous
from prometheus_client.parser import text_string_to_metric_families

from tests.warm import Forked, warm

DARKROOM = Path(sys.executable).with_name("darkroom")
SECRET = "correct-horse-battery-staple"
SECRET_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
"""Encrypts the secrets in the database: 32 bytes in base64."""
START_S = 30.0
STOP_S = 30.0


def sign(path: str, expires: int | None = None, secret: str = SECRET) -> str:
    """Sign a path as any backend would, independently of the product's own code."""
    text = path if expires is None else f"{path}?e={expires}"
    signer = itsdangerous.Signer(secret, salt="darkroom.url", key_derivation="hmac", digest_method=sha256)
    return f"{text}{'?' if expires is None else '&'}s={signer.get_signature(text).decode()}"


@dataclass
class Home:
    """A home folder, the settings for it, and the `darkroom` command."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "DARKROOM_HOME": str(self.folder),
            "DARKROOM_LOG_FORMAT": "json",
            "DARKROOM_SECRET_KEYS": SECRET_KEY,
            **self.settings,
        }

    def run(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return warm().run([*map(str, words)], self.environment, Path.cwd())

    def create_tenant(self, name: str = "acme", secret: str = SECRET) -> None:
        created = self.run("tenant", "create", name, "--secret", secret)
        assert created.returncode == 0, created.stderr

    def upload(self, *bodies: bytes, tenant: str = "acme") -> list[dict[str, Any]]:
        """Upload pictures with the command; return what it prints for each."""
        paths = []
        for number, body in enumerate(bodies):
            path = self.folder / f"upload-{number}"
            path.write_bytes(body)
            paths.append(path)
        uploaded = self.run("upload", *paths, "--tenant", tenant, "--json")
        assert uploaded.returncode == 0, uploaded.stderr
        return [json.loads(line) for line in uploaded.stdout.splitlines()]

    def plant(self, body: bytes, tenant: str = "acme", name: str | None = None) -> str:
        """Write bytes into the folder of originals, without the checks of an upload; return their name."""
        digest = name or sha256(body).hexdigest()
        path = self.folder / "originals" / tenant / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return digest


class Server:
    """A running `darkroom serve`."""

    def __init__(self, process: "Forked | subprocess.Popen[str]", port: int, lines: list[str]) -> None:
        self.process = process
        self.port = port
        self.lines = lines
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET a path that is signed already."""
        return self.http.get(path, headers=headers)

    def picture(self, original: str, recipe: str, tenant: str = "acme", **headers: str) -> httpx.Response:
        """GET a picture with a signed URL."""
        return self.get(sign(f"/t/{tenant}/{original}/{recipe}"), **headers)

    def raw(self, data: bytes, *, most: int = 65_536) -> bytes:
        """Send bytes as they are; read until the server closes the connection or is silent for a second."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(data)
            connection.settimeout(1.0)
            received = b""
            try:
                while len(received) < most and (chunk := connection.recv(most)):
                    received += chunk
            except TimeoutError:
                pass
            return received

    def raw_status(self, target: bytes, *, method: bytes = b"GET", headers: bytes = b"") -> int:
        """Send one request line as it is; return the status of the answer."""
        answer = self.raw(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n")
        match = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", answer)
        assert match, answer[:200]
        return int(match[1])

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have the labels."""
        families = text_string_to_metric_families(self.http.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples)
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def connect(self, sent: bytes) -> socket.socket:
        """Send bytes as they are and return the open connection."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.sendall(sent)
        return connection

    def shows(self, **metrics: float) -> bool:
        """Report whether all of these metrics have these values."""
        return all(self.metric(name) == value for name, value in metrics.items())

    def workers(self) -> list[int]:
        """Return the process ids of the pixel workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children]

    def wait_until(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait until a condition is true."""
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, "".join(self.lines[-20:])
            time.sleep(0.02)


@contextmanager
def serving(home: Home, *options: str, **settings: str) -> Iterator[Server]:
    """Run a server on a free port; stop it with SIGTERM, and with SIGKILL if that does not stop it."""
    lines: list[str] = []
    listening = threading.Event()
    with TemporaryDirectory() as place:
        log = Path(place) / "log"
        os.mkfifo(log)
        reader = threading.Thread(target=_read, args=(log, lines, listening), daemon=True)
        reader.start()
        process = warm().start(["serve", "--port", "0", *options], {**home.environment, **settings}, Path.cwd(), log)
        try:
            assert listening.wait(START_S), "".join(lines)
            port = next(match[1] for line in lines if (match := re.search(r"listening on http://[^:]+:(\d+)", line)))
            server = Server(process, int(port), lines)
            try:
                yield server
            finally:
                server.http.close()
        finally:
            _stop(process)
            reader.join(5)


def _stop(process: Forked) -> None:
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait(STOP_S)


def _read(log: Path, lines: list[str], listening: threading.Event) -> None:
    with log.open() as stream:
        for line in stream:
            lines.append(line)
            if "listening on" in line:
                listening.set()
    listening.set()
