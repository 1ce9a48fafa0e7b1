"""Uploads over all ways while the server is killed again and again: what was acknowledged is there, byte for byte.

`DARKROOM_TEST_FULL=1` sends 1,000 pictures instead of 30.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.program.conftest import noisy
from tests.program.server import Home, serving
from tests.program.test_management import token_of
from tests.servers.processes import free_port

PICTURES = 1_000 if os.environ.get("DARKROOM_TEST_FULL") else 30
PATIENCE_S = 200.0
TUS = {"tus-resumable": "1.0.0"}

pytestmark = pytest.mark.timeout(3_600 if PICTURES > 100 else 500)


class Client:
    """A client that goes on when the server is gone for a moment."""

    def __init__(self, base: str, token: str) -> None:
        self.base = base
        self.headers = {"authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, *expected: int, **arguments: Any) -> httpx.Response:  # noqa: ANN401 - of httpx
        """Send a request until its answer is one of those expected."""
        headers = self.headers | arguments.pop("headers", {})
        url = path if path.startswith("http") else self.base + path
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = httpx.request(method, url, headers=headers, timeout=10, **arguments)
                if answer.status_code in expected:
                    return answer
                assert answer.status_code >= 500, (method, path, answer.status_code, answer.text)
            except httpx.HTTPError:
                pass
            assert time.monotonic() < ends, (method, path)
            time.sleep(0.1)

    def form(self, body: bytes) -> None:
        """Upload by a multipart form."""
        key = {"idempotency-key": sha256(body).hexdigest()}
        self.ask("POST", "/api/images/upload", 200, 201, files={"file": ("a.jpg", body)}, headers=key)

    def direct(self, body: bytes) -> None:
        """Upload by a sealed URL."""
        plan = self.ask("POST", "/api/uploads", 201, json={"file_name": "a.jpg", "size_bytes": len(body)}).json()
        self.ask(plan["method"], plan["url"], 204, content=body, headers=plan["headers"])
        self.ask("POST", f"/api/uploads/{plan['id']}/complete", 200, 201)

    def resumable(self, body: bytes) -> None:
        """Upload by tus, in pieces, each from where the server says that it is."""
        created = self.ask("POST", "/api/tus", 201, headers=TUS | {"upload-length": str(len(body))})
        place = created.headers["location"].removeprefix(self.base)
        while (offset := self._offset(place)) < len(body):
            fields = {"upload-offset": str(offset), "content-type": "application/offset+octet-stream"}
            piece = body[offset : offset + 20_000]
            self.ask("PATCH", place, 204, 409, content=piece, headers=TUS | fields)

    def _offset(self, place: str) -> int:
        return int(self.ask("HEAD", place, 200, 204, headers=TUS).headers["upload-offset"])


@contextmanager
def killed_again_and_again(home: Home, port: int) -> Iterator[None]:
    """Run a server that is killed every few seconds and started again."""
    done, chance = threading.Event(), random.Random(20_261_124)

    def keep() -> None:
        while not done.is_set():
            with serving(home, "--port", str(port)) as server:
                done.wait(chance.uniform(2.0, 5.0))
                server.process.send_signal(signal.SIGKILL)

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join(60)


def test_every_acknowledged_picture_is_there_although_the_server_is_killed_every_few_seconds(tmp_path: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    home = Home(tmp_path / "home", {"DARKROOM_BASE_URL": base, "DARKROOM_WORKERS": "1"})
    home.create_tenant()
    client = Client(base, token_of(home, "editor"))
    bodies = [noisy(160, 120, seed=number) for number in range(PICTURES)]
    ways: list[Callable[[bytes], None]] = [client.form, client.direct, client.resumable]
    with killed_again_and_again(home, port), ThreadPoolExecutor(6) as clients:
        list(clients.map(lambda pair: ways[pair[0] % 3](pair[1]), enumerate(bodies)))
    with serving(home, "--port", str(port)):
        listed = client.ask("GET", "/api/images", 200, params={"total": "true", "limit": 1}).json()
        assert listed["total"] == len(bodies)
        for body in bodies:
            image = client.ask("GET", f"/api/images/by-hash/{sha256(body).hexdigest()}", 200).json()
            assert image["status"] == "ready"
            assert client.ask("GET", f"/api/images/{image['id']}/original", 200).content == body
