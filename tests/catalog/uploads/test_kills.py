"""A server that is killed at each step of an upload: nothing acknowledged is lost, and there is one whole image.

The client does what clients do: it repeats what was not answered, and goes on where the server says.
"""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.catalog.uploads.dying_server import DYING_AT
from tests.program.conftest import noisy
from tests.program.server import START_S, Home

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

    from tests.servers.fixtures import S3

TUS_POINTS = [
    "change after 1", "append before 1", "append after 1", "append before 2", "append after 2", "progress before 1",
    "progress after 2", "original before 1", "original after 1", "record before 1", "record after 1", "change after 2",
    "delete before 1", "delete after 1",
]  # fmt: skip
DIRECT_POINTS = [
    "change after 1", "replace before 1", "replace after 1", "original before 1", "original after 1", "record after 1",
    "change after 2", "delete before 1", "delete after 1",
]  # fmt: skip
GROWN = {
    "append after 2",
    "progress after 2",
    "original after 1",
    "record after 1",
    "change after 2",
    "delete before 1",
}
"""Points that are tried with PostgreSQL and S3 too, where each start of a server takes longer."""
ATTEMPTS = 8


@dataclass
class Mortal:
    """A server that is started again when it has died, and its client."""

    home: Home
    place: Path
    process: "subprocess.Popen[bytes] | None" = None
    http: httpx.Client = field(default_factory=httpx.Client)
    deaths: int = 0

    def die_at(self, point: str) -> None:
        """Kill the server at a point, once."""
        (self.place / "at").write_text(point)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response | None:  # noqa: ANN401 - of httpx
        """Return the answer; None if the server died of it, and lives again."""
        if self.process is None:
            self._start()
        try:
            return self.http.request(method, path, **options)
        except httpx.TransportError:
            assert self.process is not None
            assert self.process.wait(START_S) == -signal.SIGKILL, self._log().read_text()[-2_000:]
            self.deaths += 1
            (self.place / "at").unlink(missing_ok=True)
            self._start()
            return None

    def stop(self) -> None:
        """End the server."""
        self.http.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait(START_S)

    def _log(self) -> Path:
        return self.place / f"log-{self.deaths}"

    def _start(self) -> None:
        command = [sys.executable, "-m", "tests.catalog.uploads.dying_server", "serve", "--port", "0"]
        settings = {"DARKROOM_WORKERS": "1", "DARKROOM_JOB_CONCURRENCY": "0", DYING_AT: str(self.place / "at")}
        with self._log().open("wb") as log:
            environment = {**self.home.environment, **settings, "PYTHONPATH": str(Path.cwd())}
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        ends = time.monotonic() + START_S
        while not (match := re.search(r"listening on http://[^:]+:(\d+)", self._log().read_text())):
            assert time.monotonic() < ends, self._log().read_text()[-2_000:]
            assert self.process.poll() is None, self._log().read_text()[-2_000:]
            time.sleep(0.05)
        self.http.base_url = httpx.URL(f"http://127.0.0.1:{match[1]}")


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """Return a home with the tenant acme; grown, on PostgreSQL and S3."""
    home = Home(tmp_path)
    if request.param == "grown":
        s3: S3 = request.getfixturevalue("s3")
        home.settings.update(s3.environment, DARKROOM_DATABASE_URL=request.getfixturevalue("migrated_database_url"))
    home.create_tenant()
    return home


@pytest.fixture
def mortal(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """Return a server that can die, and a client with an editor's token."""
    mortal = Mortal(home, tmp_path_factory.mktemp("mortal"))
    made = home.run("token", "create", "--tenant", "acme", "--role", "editor")
    assert made.returncode == 0, made.stderr
    token = made.stdout.split()[-1]
    mortal.http = httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=30)
    yield mortal
    mortal.stop()


def upload_by_tus(mortal: Mortal, body: bytes, key: str) -> str:
    """Upload in two requests, again and again from the offset that the server knows; return the image's id."""
    version = {"tus-resumable": "1.0.0"}
    creation = version | {"upload-length": str(len(body)), "idempotency-key": key}
    made = next(filter(None, (mortal.request("POST", "/api/tus", headers=creation) for _ in range(ATTEMPTS))))
    assert made.status_code == 201, made.text
    place, acknowledged = made.headers["location"], 0
    for _ in range(ATTEMPTS):
        known = mortal.request("HEAD", place, headers=version)
        if known is None:
            continue
        assert known.status_code == 200
        offset = int(known.headers["upload-offset"])
        assert offset >= acknowledged, "what was acknowledged is there"
        if offset == len(body):
            return str(known.headers["x-image-id"])
        end = len(body) // 2 if offset < len(body) // 2 else len(body)
        headers = version | {"upload-offset": str(offset), "content-type": "application/offset+octet-stream"}
        sent = mortal.request("PATCH", place, content=body[offset:end], headers=headers)
        if sent is not None:
            assert sent.status_code == 204, sent.text
            acknowledged = int(sent.headers["upload-offset"])
    raise AssertionError("the upload does not come to an end")


def upload_directly(mortal: Mortal, body: bytes, key: str) -> str:
    """Announce, send and complete, each until it is answered; return the image's id."""
    announced = {"file_name": "a.jpg", "size_bytes": len(body), "sha256": sha256(body).hexdigest()}
    headers = {"idempotency-key": key}
    for _ in range(ATTEMPTS):
        grant = mortal.request("POST", "/api/uploads", json=announced, headers=headers)
        if grant is None:
            continue
        assert grant.status_code == 201, grant.text
        told = grant.json()
        if told["method"] == "PUT":
            path = told["url"].removeprefix("http://127.0.0.1:8000")
            sent = mortal.request("PUT", path, content=body, headers=told["headers"])
            if sent is None:
                continue
            # 409: it is complete already, and its answer was lost
            assert sent.status_code in {204, 409}, sent.text
        else:
            httpx.post(told["url"], data=told["fields"], files={"file": ("a", body)}).raise_for_status()
        done = mortal.request("POST", f"/api/uploads/{told['id']}/complete")
        if done is not None:
            assert done.status_code == 201, done.text
            again = mortal.request("POST", f"/api/uploads/{told['id']}/complete")
            assert again is not None
            assert again.json() == done.json()
            return str(done.json()["id"])
    raise AssertionError("the upload does not come to an end")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("home", ["embedded", "grown"], indirect=True)
@pytest.mark.parametrize("way", ["tus", "direct"])
async def test_a_kill_at_any_step_costs_no_byte_and_makes_one_image(
    mortal: Mortal, way: str, request: pytest.FixtureRequest, s3_client: "S3Client"
) -> None:
    points = TUS_POINTS if way == "tus" else DIRECT_POINTS
    upload = upload_by_tus if way == "tus" else upload_directly
    grown = "DARKROOM_STORE_URL" in mortal.home.settings
    expected = set()
    for number, point in enumerate(points):
        if grown and point not in GROWN:
            continue
        body, deaths = noisy(1_400, 1_000, number), mortal.deaths
        mortal.die_at(point)
        image = await asyncio.to_thread(upload, mortal, body, point)
        assert mortal.deaths == deaths + 1, f"the server did not die at: {point}"
        answer = await asyncio.to_thread(mortal.request, "GET", f"/api/images/{image}/original")
        assert answer is not None
        assert answer.content == body, point
        expected.add(image)
    listed = await asyncio.to_thread(mortal.request, "GET", "/api/images?limit=100")
    assert listed is not None
    assert {image["id"] for image in listed.json()["items"]} == expected
    if grown:
        bucket = request.getfixturevalue("s3").bucket
        left = (await s3_client.list_objects_v2(Bucket=bucket, Prefix="darkroom/uploads")).get("Contents", [])
        assert left == []
    else:
        assert [path for path in (mortal.home.folder / "uploads").rglob("*") if path.is_file()] == []
