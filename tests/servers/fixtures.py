"""Fixtures for real servers. A fixture of function scope is an empty part of a server, for one test."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from proxy.adapters.s3 import open_s3
from tests.servers.cutter import Cutter, open_cutter
from tests.servers.databases import Databases, open_databases
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
        """The value for DARKROOM_STORE_URL."""
        return f"s3://{self.bucket}/darkroom"

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which a `darkroom` process uses the bucket."""
        return {
            "DARKROOM_STORE_URL": self.store_url,
            "DARKROOM_S3_ENDPOINT_URL": self.endpoint_url,
            "DARKROOM_S3_ACCESS_KEY_ID": self.access_key_id,
            "DARKROOM_S3_SECRET_ACCESS_KEY": self.secret_access_key,
        }


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Return the servers of this process. The first test that needs one starts all that the collected tests need."""
    needed = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    with Servers() as servers:
        servers.start(NAMES & needed)
        yield servers


@pytest.fixture(scope="session")
def database_server(servers: Servers) -> str:
    """Return the URL of a database from which others can be created."""
    return str(servers.find("database_server"))


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> str:
    """Return the URL of a Redis database that the tests may flush."""
    return str(servers.find("redis_server"))


@pytest.fixture(scope="session")
def s3_server(servers: Servers) -> S3Server:
    """Return an S3 server with a key that may create buckets."""
    server = servers.find("s3_server")
    assert isinstance(server, S3Server)
    return server


@pytest.fixture(scope="session")
async def databases(database_server: str) -> AsyncIterator[Databases]:
    """Return the PostgreSQL server as a place to create databases on."""
    async with open_databases(database_server) as databases:
        yield databases


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """Return the SQLAlchemy URL (asyncpg) of an empty PostgreSQL database, dropped after the test."""
    async with databases.copy() as url:
        yield url


@pytest.fixture
async def redis_url(redis_server: str) -> str:
    """Return the URL of an empty Redis database."""
    async with Redis.from_url(redis_server) as redis:
        await redis.flushdb()
    return redis_server


@pytest.fixture
def own_redis(servers: Servers, tmp_path: Path) -> Iterator[OwnRedis]:
    """Return a Redis that the test may stall and kill."""
    redis = OwnRedis(tmp_path, servers.processes)
    yield redis
    redis.kill()


@pytest.fixture(scope="session")
async def s3_client(s3_server: S3Server) -> "AsyncIterator[S3Client]":
    """Return a client for all buckets of the server."""
    async with open_s3(
        "us-east-1", s3_server.endpoint_url, s3_server.access_key_id, s3_server.secret_access_key
    ) as client:
        yield client


@pytest.fixture
async def s3(s3_server: S3Server, s3_client: "S3Client") -> AsyncIterator[S3]:
    """Return an empty bucket, deleted after the test."""
    bucket = f"darkroom-test-{token_hex(6)}"
    await s3_client.create_bucket(Bucket=bucket)
    try:
        yield S3(s3_server.endpoint_url, s3_server.access_key_id, s3_server.secret_access_key, bucket)
    finally:
        async for page in s3_client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                await s3_client.delete_object(Bucket=bucket, Key=entry["Key"])
        await s3_client.delete_bucket(Bucket=bucket)


@pytest.fixture
async def s3_cutter(s3_server: S3Server) -> AsyncIterator[Cutter]:
    """Return a forwarder to the S3 server that the test may stall and cut."""
    parts = urlsplit(s3_server.endpoint_url)
    async with open_cutter(parts.hostname or "", parts.port or 80) as cutter:
        yield cutter
