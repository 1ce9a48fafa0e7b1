"""The same on PostgreSQL, Redis and S3, and when each of them fails."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.migrated import APPLICATION
from tests.program.conftest import blue, halves, red, seen
from tests.program.server import Home, serving, sign
from tests.servers.cutter import Cutter, open_cutter
from tests.servers.databases import url_as
from tests.servers.fixtures import S3
from tests.servers.redis import OwnRedis

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

pytestmark = pytest.mark.usefixtures("application_role")


def grown(folder: Path, database_url: str, redis_url: str, s3: S3) -> Home:
    """Make a home of nothing but settings, migrated, with the tenant acme.

    `database_url` is the owner's; commands and servers run as a role that row-level security restricts.
    """
    home = Home(folder, {"DARKROOM_DATABASE_URL": database_url, "DARKROOM_REDIS_URL": redis_url, **s3.environment})
    unmigrated = home.run("tenant", "list")
    assert unmigrated.returncode == 3
    assert "darkroom migrate" in unmigrated.stderr
    home.settings["DARKROOM_DATABASE_URL"] = url_as(APPLICATION, database_url)
    migrated = home.run("migrate", "--database-url", database_url)
    assert migrated.returncode == 0, migrated.stderr
    assert f"restricts: {APPLICATION}" in migrated.stdout
    home.create_tenant()
    return home


@pytest.fixture
async def home(tmp_path: Path, database_url: str, redis_url: str, s3: S3) -> Home:
    return await asyncio.to_thread(grown, tmp_path, database_url, redis_url, s3)


async def keys(client: "S3Client", bucket: str, prefix: str) -> list[str]:
    listed = await client.list_objects_v2(Bucket=bucket, Prefix=f"darkroom/{prefix}")
    return [one["Key"] for one in listed.get("Contents", [])]


async def test_the_original_is_in_s3_the_derivative_in_s3_and_redis_and_the_record_in_postgresql(
    home: Home, s3: S3, s3_client: "S3Client", redis_url: str, database_url: str
) -> None:
    def use() -> str:
        home.settings["DARKROOM_JOB_CONCURRENCY"] = "0"  # the pipeline would store pictures too
        with serving(home) as one, serving(home) as other:
            name = home.upload(halves())[0]["original"]
            answer = one.picture(name, "w300-webp")
            assert answer.status_code == 200, answer.text
            width, height, left, right = seen(answer.content)
            assert (width, height, red(left), blue(right)) == (300, 200, True, True)
            one.wait_until(lambda: one.metric("darkroom_derivative_write_queue_bytes") == 0)
            beside = other.picture(name, "w300-webp")
            assert beside.content == answer.content
            assert 'desc="redis"' in beside.headers["server-timing"]
            return str(name)

    name = await asyncio.to_thread(use)
    assert await keys(s3_client, s3.bucket, "originals/") == [f"darkroom/originals/acme/{name}"]
    [stored] = await keys(s3_client, s3.bucket, "derivatives/")
    assert f"/acme/0/{name[:2]}/{name}/" in stored
    async with Redis.from_url(redis_url) as redis:
        assert [key async for key in redis.scan_iter(f"darkroom:d:*{name}*")]
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT recipe, format, width FROM derivative"))).all()
    await engine.dispose()
    assert [tuple(row) for row in rows] == [("w300-webp", "webp", 300)]


async def test_without_redis_pictures_are_served_and_soon(
    tmp_path: Path, database_url: str, s3: S3, own_redis: OwnRedis
) -> None:
    def use() -> None:
        home = grown(tmp_path, database_url, own_redis.url, s3)
        with serving(home) as server:
            name = home.upload(halves())[0]["original"]
            assert server.picture(name, "w50-webp").status_code == 200
            own_redis.stall()
            for width in range(60, 65):
                assert server.picture(name, f"w{width}-webp").status_code == 200
            own_redis.resume()
            own_redis.kill()
            assert server.picture(name, "w70-webp").status_code == 200
            ready = server.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
            assert "redis" in ready.json()["checks"]["cache"]

    await asyncio.to_thread(use)


async def test_without_s3_hits_go_on_and_misses_are_503_until_it_is_back(
    tmp_path: Path, database_url: str, redis_url: str, s3: S3, s3_cutter: Cutter
) -> None:
    behind = S3(f"http://{s3_cutter.host}:{s3_cutter.port}", s3.access_key_id, s3.secret_access_key, s3.bucket)
    home = await asyncio.to_thread(grown, tmp_path, database_url, redis_url, behind)
    server_context = serving(home)
    server = await asyncio.to_thread(server_context.__enter__)
    try:
        name = (await asyncio.to_thread(home.upload, halves()))[0]["original"]
        assert (await asyncio.to_thread(server.picture, name, "w50-webp")).status_code == 200
        await s3_cutter.refuse()
        assert (await asyncio.to_thread(server.picture, name, "w50-webp")).status_code == 200
        miss = await asyncio.to_thread(server.picture, name, "w51-webp")
        assert (miss.status_code, miss.json()["code"]) == (503, "unavailable")
        assert miss.headers["retry-after"]
        degraded = await asyncio.to_thread(server.get, "/readyz")
        assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
        assert degraded.json()["checks"]["store"] != "ok"
        await s3_cutter.restore()
        await asyncio.to_thread(server.wait_until, lambda: server.picture(name, "w51-webp").status_code == 200)
        await asyncio.to_thread(server.wait_until, lambda: server.get("/readyz").json()["status"] == "ready")
    finally:
        await asyncio.to_thread(server_context.__exit__, None, None, None)


async def test_with_an_s3_that_hangs_hits_go_on_and_misses_are_503_until_it_is_back(
    tmp_path: Path, database_url: str, redis_url: str, s3: S3, s3_cutter: Cutter
) -> None:
    """It accepts connections and never answers: misses are refused, and do not take the whole of their deadline."""
    behind = S3(f"http://{s3_cutter.host}:{s3_cutter.port}", s3.access_key_id, s3.secret_access_key, s3.bucket)
    home = await asyncio.to_thread(grown, tmp_path, database_url, redis_url, behind)
    server_context = serving(home)
    server = await asyncio.to_thread(server_context.__enter__)
    try:
        name = (await asyncio.to_thread(home.upload, halves()))[0]["original"]
        assert (await asyncio.to_thread(server.picture, name, "w50-webp")).status_code == 200
        s3_cutter.stall()
        misses = [await asyncio.to_thread(server.picture, name, f"w{width}-webp") for width in range(60, 72)]
        assert {(miss.status_code, miss.json()["code"]) for miss in misses} == {(503, "unavailable")}
        assert (await asyncio.to_thread(server.picture, name, "w50-webp")).status_code == 200
        await s3_cutter.restore()
        await asyncio.to_thread(server.wait_until, lambda: server.picture(name, "w61-webp").status_code == 200)
    finally:
        await asyncio.to_thread(server_context.__exit__, None, None, None)


async def test_without_postgresql_tenants_that_were_read_are_served_and_others_are_503(
    tmp_path: Path, database_url: str, redis_url: str, s3: S3
) -> None:
    parts = urlsplit(database_url)
    async with open_cutter(parts.hostname or "", parts.port or 5432) as cutter:
        userinfo = parts.netloc.rpartition("@")[0]
        at = f"{cutter.host}:{cutter.port}"
        through = parts._replace(netloc=f"{userinfo}@{at}" if userinfo else at).geturl()
        home = await asyncio.to_thread(grown, tmp_path, through, redis_url, s3)
        server_context = serving(home, DARKROOM_TENANT_TTL_S="0.1")
        server = await asyncio.to_thread(server_context.__enter__)
        try:
            name = (await asyncio.to_thread(home.upload, halves()))[0]["original"]
            await asyncio.to_thread(home.create_tenant, "unread")
            assert (await asyncio.to_thread(server.picture, name, "w50-webp")).status_code == 200
            await cutter.refuse()
            await asyncio.sleep(0.2)
            known = await asyncio.to_thread(server.picture, name, "w52-webp")
            assert known.status_code == 200, known.text
            unread = await asyncio.to_thread(server.get, sign(f"/t/unread/{name}/w50-webp"))
            assert (unread.status_code, unread.json()["code"]) == (503, "unavailable")
            unknown = await asyncio.to_thread(server.get, sign(f"/t/stranger/{name}/w50-webp"))
            assert unknown.status_code == 403, "the names of all tenants are in memory"
            ready = await asyncio.to_thread(server.get, "/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        finally:
            await asyncio.to_thread(server_context.__exit__, None, None, None)


def test_a_full_disk_for_derivatives_still_shows_pictures(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create_tenant()
    with serving(home) as server:
        name = home.upload(halves())[0]["original"]
        assert server.picture(name, "w50-webp").status_code == 200
        server.wait_until(lambda: server.metric("darkroom_derivative_write_queue_bytes") == 0)
        folder = tmp_path / "derivatives"
        folder.rename(tmp_path / "away")
        folder.write_bytes(b"no folder: nothing can be kept here")
        begun = time.monotonic()
        assert server.picture(name, "w51-webp").status_code == 200
        assert time.monotonic() - begun < 30
        server.wait_until(lambda: server.metric("darkroom_derivative_write_queue_bytes") == 0)
        assert 'desc="memory"' in server.picture(name, "w51-webp").headers["server-timing"]
