"""A hit over a socket: GET for what is in memory takes the fast path, HEAD the endpoint; both answer the same."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.program.server import Home, Server, serving, sign

_OF_ONE_RESPONSE = {"date", "x-request-id"}


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[Server]:
    """Give a server whose tenants stay cached: each hit takes the fast path, however slow the machine is."""
    with serving(home, DARKROOM_TENANT_TTL_S="600") as server:
        yield server


@contextmanager
def by_the_fast_path(server: Server, responses: int) -> Iterator[None]:
    """Fail unless exactly so many requests of the block are answered by the fast path."""
    before = server.metric("darkroom_fast_path_responses_total")
    yield
    assert server.metric("darkroom_fast_path_responses_total") == before + responses


def _common(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OF_ONE_RESPONSE}


def test_both_paths_send_the_same_headers(server: Server, original: str) -> None:
    path = sign(f"/t/acme/{original}/w50-auto")
    for accept in ("image/webp", "*/*"):
        with by_the_fast_path(server, 1):
            server.get(path, accept=accept)
            fast, head = server.get(path, accept=accept), server.http.head(path, headers={"accept": accept})
        assert _common(dict(fast.headers)) == _common(dict(head.headers))
        assert fast.headers["server-timing"] == 'tier;desc="memory"'


def test_a_304_takes_the_fast_path(server: Server, original: str) -> None:
    etag = server.picture(original, "w55-webp").headers["etag"]
    with by_the_fast_path(server, 1):
        answer = server.picture(original, "w55-webp", **{"if-none-match": etag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


def test_each_answer_has_an_id_of_its_own(server: Server, original: str) -> None:
    server.picture(original, "w51-webp")
    with by_the_fast_path(server, 4):
        ids = {server.picture(original, "w51-webp").headers["x-request-id"] for _ in range(4)}
    assert len(ids) == 4
    assert all(len(request_id) == 16 for request_id in ids)


def test_a_hit_by_the_fast_path_is_counted(server: Server, original: str) -> None:
    server.picture(original, "w52-webp")
    before = server.metric("darkroom_requests_total", status="200", tier="memory")
    with by_the_fast_path(server, 1):
        server.picture(original, "w52-webp")
    assert server.metric("darkroom_requests_total", status="200", tier="memory") == before + 1


def test_a_wrong_seal_is_refused_however_often_and_whatever_is_in_memory(server: Server, original: str) -> None:
    path = sign(f"/t/acme/{original}/w53-webp")
    wrong = path[:-1] + ("A" if path[-1] != "A" else "E")
    with by_the_fast_path(server, 1):
        statuses = [server.get(target).status_code for target in (path, wrong, path, wrong, wrong)]
    assert statuses == [200, 403, 200, 403, 403]


def test_a_link_that_expires_does_so_while_its_picture_is_in_memory(server: Server, original: str) -> None:
    path = sign(f"/t/acme/{original}/w54-webp", int(time.time()) + 2)
    with by_the_fast_path(server, 1):
        assert server.get(path).status_code == server.get(path).status_code == 200
    server.wait_until(lambda: server.get(path).status_code == 403)
