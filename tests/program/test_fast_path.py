"""A hit's two ways through one server: GET for what is in memory takes the short one, HEAD the long one."""

import time

from tests.program.server import Server, sign

_OF_ONE_ANSWER = {"date", "x-request-id"}


def _told(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _OF_ONE_ANSWER}


def test_both_ways_tell_the_same_headers(server: Server, original: str) -> None:
    path = sign(f"/t/acme/{original}/w50-auto")
    for accept in ("image/webp", "*/*"):
        server.get(path, accept=accept)
        short, long = server.get(path, accept=accept), server.http.head(path, headers={"accept": accept})
        assert _told(dict(short.headers)) == _told(dict(long.headers))
        assert short.headers["server-timing"] == 'tier;desc="memory"'


def test_each_answer_has_an_id_of_its_own(server: Server, original: str) -> None:
    ids = {server.picture(original, "w51-webp").headers["x-request-id"] for _ in range(4)}
    assert len(ids) == 4
    assert all(len(one) == 16 for one in ids)


def test_a_hit_by_the_short_way_is_counted(server: Server, original: str) -> None:
    server.picture(original, "w52-webp")
    before = server.metric("darkroom_requests_total", status="200", tier="memory")
    server.picture(original, "w52-webp")
    assert server.metric("darkroom_requests_total", status="200", tier="memory") == before + 1


def test_a_wrong_seal_is_refused_however_often_and_whatever_is_in_memory(server: Server, original: str) -> None:
    path = sign(f"/t/acme/{original}/w53-webp")
    wrong = path[:-1] + ("A" if path[-1] != "A" else "E")
    assert [server.get(one).status_code for one in (path, wrong, path, wrong, wrong)] == [200, 403, 200, 403, 403]


def test_a_link_that_expires_does_so_while_its_picture_is_in_memory(server: Server, original: str) -> None:
    path = sign(f"/t/acme/{original}/w54-webp", int(time.time()) + 2)
    assert server.get(path).status_code == server.get(path).status_code == 200
    server.wait_until(lambda: server.get(path).status_code == 403)
