"""A signed URL becomes a picture, on the embedded default."""

import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from urllib.parse import urlsplit

import httpx
import pytest
from httplint import HttpResponseLinter
from httplint.note import levels

from tests.program.conftest import TENANT_TTL_S, blue, halves, noisy, red, seen
from tests.program.server import Home, Server, serving, sign

AVIF, WEBP = "image/avif,image/webp,*/*", "image/webp,*/*"


def test_an_upload_prints_a_name_and_a_url_that_shows_the_picture(home: Home, server: Server) -> None:
    told = home.upload(halves(suffix=".png"))[0]
    assert (told["media_type"], told["width"], told["height"]) == ("image/png", 600, 400)
    answer = server.get(told["url"].removeprefix("http://127.0.0.1:8000"))
    assert answer.status_code == 200
    width, height, left, right = seen(answer.content)
    assert (width, height) == (600, 400)
    assert red(left)
    assert blue(right)


def test_the_same_bytes_twice_are_one_original(home: Home) -> None:
    one, two = home.upload(halves(seed=1), halves(seed=1))
    assert one["original"] == two["original"]


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif", "png", "gif"])
def test_every_format_shows_the_same_picture(server: Server, original: str, format: str) -> None:  # noqa: A002
    answer = server.picture(original, f"w300-h300-{format}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"image/{format}")
    width, height, left, right = seen(answer.content)
    assert (width, height) == (300, 300)
    assert red(left)
    assert blue(right)


def test_the_url_the_command_signs_is_the_one_we_sign(home: Home, original: str) -> None:
    path = f"/t/acme/{original}/w320-h180-webp"
    told = json.loads(home.run("sign", path, "--json").stdout)["url"]
    assert told.endswith(sign(path))
    expiring = home.run("sign", path, "--expires", "1893456000").stdout.strip()
    assert expiring.endswith(sign(path, 1893456000))


def test_a_200_has_every_header_of_the_contract(server: Server, original: str) -> None:
    headers = server.picture(original, "w111-webp").headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["etag"].startswith('"')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["timing-allow-origin"] == "*"
    assert headers["x-amz-meta-cache-tag"] == f"a-acme-{original}, t-acme"
    assert "render" in headers["server-timing"]
    assert "vary" not in headers
    assert "server" not in headers


def test_auto_has_one_etag_and_one_format_per_class(server: Server, original: str) -> None:
    answers = [server.picture(original, "w90-auto", accept=accept) for accept in (AVIF, WEBP, "*/*")]
    assert [answer.headers["content-type"] for answer in answers] == ["image/avif", "image/webp", "image/jpeg"]
    assert len({answer.headers["etag"] for answer in answers}) == 3
    assert {answer.headers["vary"] for answer in answers} == {"Accept"}


def test_a_second_request_comes_from_memory(server: Server, original: str) -> None:
    first, second = (server.picture(original, "w112-webp") for _ in range(2))
    assert first.content == second.content
    assert 'desc="memory"' in second.headers["server-timing"]


def test_another_process_finds_the_derivative_on_disk(home: Home, server: Server, original: str) -> None:
    first = server.picture(original, "w113-webp")
    server.wait_until(lambda: server.metric("darkroom_derivative_write_queue_bytes") == 0)
    with serving(home) as other:
        second = other.picture(original, "w113-webp")
        assert 'desc="files"' in second.headers["server-timing"]
        assert second.content == first.content


def test_a_purge_ends_what_memory_holds_and_what_is_written_while_it_runs(home: Home, server: Server) -> None:
    home.create_tenant("tidy")
    name = home.upload(halves(seed=8), tenant="tidy")[0]["original"]

    def shown(**headers: str) -> httpx.Response:
        return server.picture(name, "w115-webp", "tidy", **headers)

    before, again = shown(), shown()
    assert 'desc="memory"' in again.headers["server-timing"]
    server.wait_until(lambda: server.metric("darkroom_derivative_write_queue_bytes") == 0)
    [stored], late = (home.folder / "derivatives").glob("*/tidy"), home.folder / "late"
    shutil.copytree(stored, late)
    assert home.run("tenant", "purge", "tidy").stdout == "Deleted 1 derivatives of tenant tidy.\n"
    shutil.copytree(late, stored, dirs_exist_ok=True)
    time.sleep(TENANT_TTL_S)
    after = shown(**{"if-none-match": before.headers["etag"]})
    assert (after.status_code, after.content) == (200, before.content)
    assert 'desc="render"' in after.headers["server-timing"]
    assert after.headers["etag"] != before.headers["etag"]
    assert 'desc="memory"' in shown().headers["server-timing"]


def test_if_none_match_is_answered_without_the_store(home: Home, server: Server) -> None:
    name = home.upload(halves(seed=2))[0]["original"]
    etag = server.picture(name, "w50-webp").headers["etag"]
    (home.folder / "originals" / "acme" / name[:2] / name).unlink()
    answer = server.picture(name, "w50-webp", **{"if-none-match": f'"x", W/{etag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert answer.headers["cache-control"].endswith("immutable")


def test_head_has_the_headers_and_makes_no_pixels(server: Server, original: str) -> None:
    renders = server.metric("darkroom_requests_total", tier="render")
    cold = server.http.head(sign(f"/t/acme/{original}/w131-webp"))
    assert (cold.status_code, cold.content, cold.headers["content-type"]) == (200, b"", "image/webp")
    assert server.metric("darkroom_requests_total", tier="render") == renders
    body = server.picture(original, "w131-webp")
    warm = server.http.head(sign(f"/t/acme/{original}/w131-webp"))
    assert warm.headers["content-length"] == str(len(body.content))
    assert warm.headers["etag"] == cold.headers["etag"] == body.headers["etag"]


def test_a_link_is_void_from_its_second_on(server: Server, original: str) -> None:
    path = f"/t/acme/{original}/w60-webp"
    soon = server.get(sign(path, int(time.time()) + 60))
    assert soon.status_code == 200
    assert 50 <= int(soon.headers["cache-control"].split("max-age=")[1].split(",")[0]) <= 60
    assert server.get(sign(path, int(time.time()) - 1)).status_code == 403


def test_keys_rotate_without_a_gap(home: Home, server: Server) -> None:
    home.create_tenant("rotor")
    name = home.upload(halves(seed=3), tenant="rotor")[0]["original"]
    path = f"/t/rotor/{name}/w40-webp"
    assert server.get(sign(path)).status_code == 200
    added = json.loads(home.run("key", "add", "rotor", "--json").stdout)
    server.wait_until(lambda: server.get(sign(path, secret=added["secret"])).status_code == 200)
    assert server.get(sign(path)).status_code == 200
    keys = [json.loads(line) for line in home.run("key", "list", "rotor", "--json").stdout.splitlines()]
    oldest = min(keys, key=lambda key: key["id"])
    retired = home.run("key", "retire", "rotor", str(oldest["id"]))
    assert retired.returncode == 0, retired.stderr
    server.wait_until(lambda: server.get(sign(path)).status_code == 403)
    assert server.get(sign(path, secret=added["secret"])).status_code == 200


def test_two_hundred_cold_requests_make_one_render(home: Home, server: Server) -> None:
    name = home.upload(noisy(1200, 900, seed=1))[0]["original"]
    before = server.metric("darkroom_renders_total")
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: server.picture(name, "w640-webp"), range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert server.metric("darkroom_renders_total") == before + 1


def test_overload_is_answered_with_200_and_503_alone_and_hits_go_on(home: Home) -> None:
    with serving(home, DARKROOM_QUEUE_LENGTH="4", DARKROOM_WORKERS="1") as small:
        name = home.upload(noisy(1600, 1200, seed=2))[0]["original"]
        assert small.picture(name, "w30-webp").status_code == 200
        with ThreadPoolExecutor(30) as crowd:
            cold = [crowd.submit(small.picture, name, f"w{width}-png") for width in range(900, 930)]
            hits = [small.picture(name, "w30-webp").status_code for _ in range(20)]
            answers = [one.result() for one in cold]
        assert set(hits) == {200}
        assert {answer.status_code for answer in answers} == {200, 503}
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert busy.json()["code"] == "busy"
        assert busy.headers["retry-after"] == "1"
        assert busy.headers["cache-control"] == "no-store"


def test_clients_that_leave_the_queue_are_not_rendered_for_and_a_running_render_is_stored(home: Home) -> None:
    with serving(home, DARKROOM_WORKERS="1", DARKROOM_RENDER_DEADLINE_S="30") as server:
        name = home.upload(halves(seed=3))[0]["original"]
        workers = server.workers()
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        clients = []
        for waiting, width in enumerate((299, 298, 297)):
            target = sign(f"/t/acme/{name}/w{width}-png").encode()
            clients.append(server.connect(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"))
            server.wait_until(partial(server.shows, darkroom_renders_running=1, darkroom_queue_length=waiting))
        for client in clients:
            client.close()
        server.wait_until(partial(server.shows, darkroom_renders_running=1, darkroom_queue_length=0))
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        server.wait_until(partial(server.shows, darkroom_renders_running=0, darkroom_queue_length=0))
        assert server.shows(darkroom_renders_total=1, darkroom_worker_restarts_total=0)
        answer = server.picture(name, "w299-png")
        assert (answer.status_code, answer.headers["server-timing"]) == (200, 'tier;desc="memory"')


def test_a_killed_worker_costs_a_retry_at_most(home: Home) -> None:
    """Every worker is killed once, one after the other, while requests run; none of them is lost."""
    with serving(home) as server:
        name = home.upload(noisy(1600, 1200, seed=4))[0]["original"]
        with ThreadPoolExecutor(4) as crowd:
            asked = [crowd.submit(server.picture, name, f"w{width}-webp") for width in range(500, 540)]
            for worker in server.workers():
                time.sleep(0.3)
                os.kill(worker, signal.SIGKILL)
            answers = [one.result() for one in asked]
        lost = [answer for answer in answers if answer.status_code != 200]
        assert len(lost) <= 1, [answer.text for answer in lost]
        assert server.metric("darkroom_worker_restarts_total") >= 1


def test_workers_that_hang_are_replaced_by_the_deadline(home: Home) -> None:
    with serving(home, DARKROOM_RENDER_DEADLINE_S="1.0", DARKROOM_DEADLINE_S="3.0") as server:
        name = home.upload(halves(seed=5))[0]["original"]
        for worker in server.workers():
            os.kill(worker, signal.SIGSTOP)
        late = server.picture(name, "w31-webp")
        assert (late.status_code, late.json()["code"]) == (504, "deadline")
        assert late.headers["cache-control"] == "no-store"
        widths = count(32)  # a render that was killed is remembered, so each request is for another one
        server.wait_until(lambda: server.picture(name, f"w{next(widths)}-webp").status_code == 200)
        assert server.picture(name, "w31-webp").status_code == 504


def test_sigterm_finishes_what_runs_and_ends_with_0(home: Home) -> None:
    with serving(home) as server:
        name = home.upload(noisy(3000, 2000, seed=6))[0]["original"]
        with ThreadPoolExecutor(1) as one:
            running = one.submit(server.picture, name, "w2500-png")
            server.wait_until(lambda: server.metric("darkroom_renders_running") == 1)
            server.process.send_signal(signal.SIGTERM)
            assert running.result().status_code == 200
        assert server.process.wait(30) == 0


def test_health_readiness_and_metrics_answer(server: Server, original: str) -> None:
    assert server.get("/healthz").text == "ok\n"
    ready = server.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    server.picture(original, "w114-webp")
    assert server.metric("darkroom_requests_total", status="200", tier="render") >= 1
    assert server.metric("darkroom_sent_bytes_total") > 0
    assert server.metric("darkroom_workers") >= 2


def test_logs_are_json_with_request_ids_and_without_seals(home: Home) -> None:
    with serving(home, DARKROOM_LOG_REQUESTS="all") as server:
        name = home.upload(halves(seed=7))[0]["original"]
        answer = server.picture(name, "w20-webp")
        server.picture(name, "w20-webp")
        server.wait_until(lambda: sum("answered" in line for line in server.lines) >= 2)
    lines = [json.loads(line) for line in server.lines]
    assert answer.headers["x-request-id"] in {line.get("request") for line in lines}
    seal = urlsplit(sign(f"/t/acme/{name}/w20-webp")).query.removeprefix("s=")
    assert not [line for line in server.lines if seal in line or "s=" in line]


@pytest.mark.parametrize("recipe", ["w70-webp", "w70-auto", "w-bad", "w9000"])
def test_httplint_finds_nothing_bad(server: Server, original: str, recipe: str) -> None:
    answer = server.picture(original, recipe)
    linter = HttpResponseLinter()
    reason = answer.reason_phrase.encode()
    linter.process_response_topline(b"HTTP/1.1", str(answer.status_code).encode(), reason)
    linter.process_headers([(name, value) for name, value in answer.headers.raw])
    linter.feed_content(answer.content)
    linter.finish_content(complete=True)
    bad = [note.summary for note in linter.notes if note.level == levels.BAD]
    assert not bad
