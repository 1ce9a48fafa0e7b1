"""Fixtures through which a test meets real servers; those of a test give it a clean part of one."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from proxy.adapters.s3 import open_s3
from tests.servers.cutter import Cutter, open_cutter
from tests.servers.redis import OwnRedis
from tests.servers.s3 import S3Server
from tests.servers.together import NAMES, Servers

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client


@dataclass(frozen=True, slots=True)
class S3:
    """An empty bucket on a server, for one test."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    bucket: str

    @property
    def store_url(self) -> str:
        """A value for DARKROOM_STORE_URL."""
        return f"s3://{self.bucket}/darkroom"

    @property
    def environment(self) -> dict[str, str]:
        """The settings under which a `darkroom` process uses the bucket."""
        return {
            "DARKROOM_STORE_URL": self.store_url,
            "DARKROOM_S3_ENDPOINT_URL": self.endpoint_url,
            "DARKROOM_S3_ACCESS_KEY_ID": self.access_key_id,
            "DARKROOM_S3_SECRET_ACCESS_KEY": self.secret_access_key,
        }


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """All servers that the collected tests need, begun together by the first that needs one."""
    needed = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    with Servers() as servers:
        servers.start(NAMES & needed)
        yield servers


@pytest.fixture(scope="session")
def database_server(servers: Servers) -> str:
    """Give the URL of a database from which others can be created."""
    return str(servers.find("database_server"))


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> str:
    """Give the URL of a Redis database that is ours to flush."""
    return str(servers.find("redis_server"))


@pytest.fixture(scope="session")
def s3_server(servers: Servers) -> S3Server:
    """Give an S3 server and a key that may make buckets."""
    found = servers.find("s3_server")
    assert isinstance(found, S3Server)
    return found


@pytest.fixture
async def database_url(database_server: str) -> AsyncIterator[str]:
    """Give the SQLAlchemy URL (asyncpg) of an empty PostgreSQL database, dropped after the test."""
    name = f"darkroom_test_{secrets.token_hex(6)}"
    await _execute(database_server, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield urlsplit(database_server)._replace(path=f"/{name}").geturl()
    finally:
        await _execute(database_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def redis_url(redis_server: str) -> str:
    """Give the URL of an empty Redis database."""
    async with Redis.from_url(redis_server) as redis:
        await redis.flushdb()
    return redis_server


@pytest.fixture
def own_redis(servers: Servers, tmp_path: Path) -> Iterator[OwnRedis]:
    """Give a Redis that the test may stall and kill."""
    redis = OwnRedis(tmp_path, servers.processes)
    yield redis
    redis.kill()


@pytest.fixture(scope="session")
async def s3_client(s3_server: S3Server) -> "AsyncIterator[S3Client]":
    """Give a client for all buckets of the server."""
    async with open_s3(
        "us-east-1", s3_server.endpoint_url, s3_server.access_key_id, s3_server.secret_access_key
    ) as client:
        yield client


@pytest.fixture
async def s3(s3_server: S3Server, s3_client: "S3Client") -> AsyncIterator[S3]:
    """Give an empty bucket, deleted after the test."""
    bucket = f"darkroom-test-{secrets.token_hex(6)}"
    await s3_client.create_bucket(Bucket=bucket)
    try:
        yield S3(s3_server.endpoint_url, s3_server.access_key_id, s3_server.secret_access_key, bucket)
    finally:
        async for page in s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for one in page.get("Contents", []):
                await s3_client.delete_object(Bucket=bucket, Key=one["Key"])
        await s3_client.delete_bucket(Bucket=bucket)


@pytest.fixture
async def s3_cutter(s3_server: S3Server) -> AsyncIterator[Cutter]:
    """Give a forwarder to the S3 server that the test may stall and cut."""
    parts = urlsplit(s3_server.endpoint_url)
    async with open_cutter(parts.hostname or "", parts.port or 80) as cutter:
        yield cutter


async def _execute(url: str, statement: str) -> None:
    # databases are created and dropped outside of transactions
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()
