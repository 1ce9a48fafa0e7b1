"""An image is trashed on one server and refused by the other, from memory too; it comes back on both."""

from collections.abc import Iterator

import pytest

from tests.program.conftest import halves
from tests.program.server import Home, Server, serving
from tests.program.test_management import token_of

WITHIN_S = 6.0
"""The promise is five seconds; the rest is for a machine that is busy."""


@pytest.fixture(scope="module")
def other(home: Home) -> Iterator[Server]:
    """Return a second server for the home folder."""
    with serving(home, DARKROOM_JOB_CONCURRENCY="4") as server:
        yield server


def test_a_trashed_image_is_404_on_every_server_and_after_a_restart(home: Home, server: Server, other: Server) -> None:
    headers = {"authorization": f"Bearer {token_of(home)}"}
    uploaded = server.http.post("/api/images/upload", files={"file": ("a.jpg", halves(seed=7))}, headers=headers)
    assert uploaded.status_code == 201, uploaded.text
    place, url = uploaded.headers["location"], uploaded.json()["url"]
    target = url[url.index("/t/") :]
    servers = (server, other)
    for one in servers:
        assert one.get(target).status_code == 200
        one.wait_until(lambda one=one: 'desc="memory"' in one.get(target).headers["server-timing"])  # type: ignore[misc]

    assert server.http.delete(place, headers=headers).status_code == 204
    for one in servers:
        one.wait_until(lambda one=one: one.get(target).status_code == 404, WITHIN_S)  # type: ignore[misc]
        assert (one.get(target).json()["code"], one.http.head(target).status_code) == ("original-withdrawn", 404)
        assert one.metric("darkroom_refused_originals") == 1
    with serving(home) as fresh:
        assert fresh.get(target).status_code == 404, "from the first request on"

    assert server.http.post(f"{place}/restore", headers=headers).status_code == 200
    for one in servers:
        one.wait_until(lambda one=one: one.get(target).status_code == 200, WITHIN_S)  # type: ignore[misc]


def test_an_image_that_is_deleted_for_good_leaves_no_file(home: Home, server: Server, other: Server) -> None:
    headers = {"authorization": f"Bearer {token_of(home)}"}
    uploaded = server.http.post(
        "/api/images/upload", files={"file": ("a.jpg", halves(400, 300, seed=8))}, headers=headers
    )
    original, url = uploaded.json()["original"], uploaded.json()["url"]
    target = url[url.index("/t/") :]
    assert other.get(target).status_code == 200
    deleted = server.http.delete(uploaded.headers["location"], params={"permanent": "true"}, headers=headers)
    assert deleted.status_code == 202

    def is_done() -> bool:
        job = server.http.get(f"/api/jobs/{deleted.json()['id']}", headers=headers)
        return str(job.json()["state"]) == "succeeded"

    server.wait_until(is_done)
    assert not list((home.folder / "originals").rglob(original))
    other.wait_until(lambda: other.get(target).status_code == 404, WITHIN_S)
    server.wait_until(lambda: server.get("/readyz").json()["status"] == "ready")
    assert server.get("/readyz").json()["checks"]["refusals"] == "ok"
