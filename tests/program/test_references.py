"""References over a socket: from a foreign server or a bucket to a picture, also when the source changes or is out."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from proxy.core.url.source_reference import write_reference
from tests.program.conftest import blue, halves, red, seen
from tests.program.server import Home, Server, serving, sign
from tests.servers.fixtures import S3
from tests.servers.source import ForeignServer, answer, foreign_server

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

CLOSED = "http://127.0.0.1:9"


@pytest.fixture
def foreign() -> Iterator[ForeignServer]:
    with foreign_server() as server:
        server.conditional("/cat.jpg", halves(), '"1"')
        yield server


@contextmanager
def sourced(home: Home, sources: dict[str, dict[str, str]], ttl_s: int = 3600, **settings: str) -> Iterator[Server]:
    """Run a server whose tenant has just these sources; on networks of our own."""
    for prefix, credentials in sources.items():
        told = [word for name, value in credentials.items() for word in ("--credential", f"{name}={value}")]
        done = home.run("source", "add", "acme", prefix, *told)
        assert done.returncode == 0, done.stderr
    assert home.run("tenant", "set", "acme", "--reference-ttl", f"{ttl_s}s").returncode == 0
    with serving(home, **({"DARKROOM_SOURCE_PRIVATE": "true"} | settings)) as server:
        yield server
    for prefix in sources:
        assert home.run("source", "delete", "acme", prefix).returncode == 0


def right(body: bytes) -> bool:
    """Tell whether a picture is `halves()`, 300 wide."""
    width, height, left, other = seen(body)
    return (width, height) == (300, 200) and red(left) and blue(other)


def test_a_reference_is_a_picture_of_its_source(home: Home, foreign: ForeignServer) -> None:
    cat = write_reference(f"{foreign.url}/cat.jpg")
    with sourced(home, {foreign.url: {}}, ttl_s=1234) as server:
        first = server.picture(cat, "w300-webp")
        assert first.status_code == 200, first.text
        assert right(first.content)
        assert first.headers["cache-control"] == (
            "public, max-age=1234, stale-while-revalidate=86400, stale-if-error=604800"
        )
        again = server.picture(cat, "w300-webp")
        assert again.content == first.content
        assert 'desc="memory"' in again.headers["server-timing"]
        same = server.picture(cat, "w300-webp", **{"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.headers["cache-control"]) == (304, first.headers["cache-control"])
        other = server.picture(cat, "w100-jpeg")
        assert other.status_code == 200
        head = server.http.head(sign(f"/t/acme/{cat}/w50-webp"))
        assert (head.status_code, head.headers["content-type"]) == (200, "image/webp")
        assert len(foreign.heard) == 1
        digest = first.headers["x-amz-meta-cache-tag"].split(",")[0].removeprefix("a-acme-")
        uploaded = server.picture(digest, "w300-webp")
        assert (uploaded.content, uploaded.headers["etag"]) == (first.content, first.headers["etag"])
        assert "immutable" in uploaded.headers["cache-control"]
        expiring = server.get(sign(f"/t/acme/{cat}/w300-webp", expires=4_000_000_000))
        assert expiring.headers["cache-control"] == "public, max-age=1234"


def test_a_changed_source_is_another_picture_and_one_that_is_out_the_same(home: Home, foreign: ForeignServer) -> None:
    cat = write_reference(f"{foreign.url}/cat.jpg?changing")
    foreign.conditional("/cat.jpg?changing", halves(seed=1), '"1"')
    with sourced(home, {foreign.url: {}}, ttl_s=1) as server:
        first = server.picture(cat, "w300-webp")
        time.sleep(1.1)
        unchanged = server.picture(cat, "w300-webp")
        assert (first.status_code, unchanged.headers["etag"]) == (200, first.headers["etag"])
        assert foreign.heard[-1].fields["if-none-match"] == '"1"'
        foreign.conditional("/cat.jpg?changing", halves(seed=40), '"2"')
        time.sleep(1.1)
        changed = server.picture(cat, "w300-webp", **{"If-None-Match": first.headers["etag"]})
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]
        assert changed.content != first.content
        foreign.answers["/cat.jpg?changing"] = answer(status="503 Busy")
        time.sleep(1.1)
        out = server.picture(cat, "w300-webp")
        assert (out.status_code, out.content) == (200, changed.content)
    with sourced(home, {foreign.url: {}}, ttl_s=1) as server:
        assert server.picture(cat, "w120-webp").status_code == 200


def test_an_original_that_was_lost_is_fetched_again(home: Home, foreign: ForeignServer) -> None:
    cat = write_reference(f"{foreign.url}/cat.jpg?lost")
    foreign.conditional("/cat.jpg?lost", halves(seed=2), '"1"')
    with sourced(home, {foreign.url: {}}) as server:
        first = server.picture(cat, "w300-webp")
        digest = first.headers["x-amz-meta-cache-tag"].split(",")[0].removeprefix("a-acme-")
        (home.folder / "originals" / "acme" / digest[:2] / digest).unlink()
        lost = server.picture(cat, "w299-webp")
        assert (lost.status_code, lost.headers["cache-control"]) == (503, "no-store")
        assert server.picture(cat, "w299-webp").status_code == 200


def test_no_preset_opens_a_reference_without_a_seal(home: Home, foreign: ForeignServer) -> None:
    cat = write_reference(f"{foreign.url}/cat.jpg?preset")
    foreign.conditional("/cat.jpg?preset", halves(), '"1"')
    assert home.run("preset", "put", "acme", "card", "w40-webp", "--unsigned").returncode == 0
    with sourced(home, {foreign.url: {}}, ttl_s=60) as server:
        sealed = server.picture(cat, "~card")
        assert (sealed.status_code, sealed.headers["cache-control"].split(",")[1]) == (200, " max-age=60")
        digest = sealed.headers["x-amz-meta-cache-tag"].split(",")[0].removeprefix("a-acme-")
        assert server.get(f"/t/acme/{digest}/~card").status_code == 200
        assert server.get(f"/t/acme/{cat}/~card").status_code == 403


def test_what_goes_wrong_is_told(home: Home, foreign: ForeignServer) -> None:
    foreign.answers |= {
        "/page": answer(b"<html>"),
        "/error": answer(status="500 Oh"),
        "/away": answer(status="302 Found", location=f"{CLOSED}/"),
    }
    here = foreign.url
    refusals = {
        f"{here}/nothing": (404, "source-missing", "public, max-age=30"),
        f"{here}/page": (415, "not-a-picture", "public, max-age=60"),
        f"{here}/error": (502, "source-failed", "no-store"),
        f"{here}/away": (403, "source-not-allowed", "public, max-age=30"),
        "https://elsewhere.example/a": (403, "source-not-allowed", "public, max-age=30"),
        "s3://bucket/a": (403, "source-not-allowed", "public, max-age=30"),
        "https://HOST/a": (400, "malformed", "public, max-age=60"),
        "file:///etc/passwd": (400, "malformed", "public, max-age=60"),
    }
    with sourced(home, {here: {}}) as server:
        for address, (status, code, kept) in refusals.items():
            told = server.picture(write_reference(address), "w300-webp")
            assert (told.status_code, told.json()["code"], told.headers["cache-control"]) == (status, code, kept)
        asked = len(foreign.heard)
        cat = write_reference(f"{here}/cat.jpg?unasked")
        assert server.picture(cat, "w0-webp").status_code == 400
        assert server.get(f"/t/acme/{cat}/w300-webp").status_code == 403
        assert server.get(f"/t/acme/{cat}/w300-webp?s={'A' * 43}").json()["code"] == "seal"
        assert len(foreign.heard) == asked


def test_without_the_setting_no_private_address_is_asked(home: Home, foreign: ForeignServer) -> None:
    named = f"http://localhost:{foreign.port}"
    with sourced(home, {foreign.url: {}, named: {}}, DARKROOM_SOURCE_PRIVATE="false") as server:
        for url in (foreign.url, named):
            told = server.picture(write_reference(f"{url}/cat.jpg?private"), "w300-webp")
            assert (told.status_code, told.json()["code"]) == (403, "source-not-allowed")
    assert not foreign.connections


async def test_an_object_of_a_bucket_is_a_picture(home: Home, s3: S3, s3_client: "S3Client") -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="photos/Größe 1.jpg", Body=halves(seed=3))
    await s3_client.put_object(Bucket=s3.bucket, Key="secret.jpg", Body=halves(seed=4))
    credentials = {
        "endpoint_url": s3.endpoint_url,
        "access_key_id": s3.access_key_id,
        "secret_access_key": s3.secret_access_key,
    }

    def use() -> None:
        with sourced(home, {f"s3://{s3.bucket}/photos": credentials}) as server:
            shown = server.picture(write_reference(f"s3://{s3.bucket}/photos/Größe 1.jpg"), "w300-webp")
            assert shown.status_code == 200, shown.text
            assert right(shown.content)
            hidden = server.picture(write_reference(f"s3://{s3.bucket}/secret.jpg"), "w300-webp")
            assert hidden.json()["code"] == "source-not-allowed"

    await asyncio.to_thread(use)
