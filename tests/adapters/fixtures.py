"""Every adapter, fresh, by the name of its fixture; and what is put into them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.adapters.files import FileDerivatives, FileOriginals, FileUploadParts
from proxy.adapters.memory import MemoryDerivatives
from proxy.adapters.redis import RedisDerivatives
from proxy.adapters.s3 import S3Derivatives, S3Originals, S3UploadParts
from proxy.caching.tiers import TieredCache
from tests.adapters.samples import LIMIT_BYTES
from tests.servers.fixtures import S3

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client


@pytest.fixture
def file_originals(tmp_path: Path) -> Iterator[FileOriginals]:
    """Provide originals in a folder."""
    originals = FileOriginals(tmp_path, LIMIT_BYTES)
    yield originals
    originals.close()


@pytest.fixture
def s3_originals(s3_client: "S3Client", s3: S3) -> S3Originals:
    """Provide originals in a bucket."""
    return S3Originals(s3_client, s3.bucket, "darkroom", LIMIT_BYTES)


@pytest.fixture
def memory_derivatives() -> MemoryDerivatives:
    """Provide derivatives in memory."""
    return MemoryDerivatives(64 * LIMIT_BYTES)


@pytest.fixture
def file_derivatives(tmp_path: Path) -> Iterator[FileDerivatives]:
    """Provide derivatives in a folder."""
    derivatives = FileDerivatives(tmp_path, LIMIT_BYTES)
    yield derivatives
    derivatives.close()


@pytest.fixture
async def redis_derivatives(redis_url: str) -> AsyncIterator[RedisDerivatives]:
    """Provide derivatives in Redis."""
    derivatives = RedisDerivatives(redis_url, LIMIT_BYTES, ttl_s=60)
    yield derivatives
    await derivatives.close()


@pytest.fixture
def s3_derivatives(s3_client: "S3Client", s3: S3) -> S3Derivatives:
    """Provide derivatives in a bucket."""
    return S3Derivatives(s3_client, s3.bucket, "darkroom", LIMIT_BYTES)


@pytest.fixture
async def tiers_derivatives(
    memory_derivatives: MemoryDerivatives, redis_derivatives: RedisDerivatives, s3_derivatives: S3Derivatives
) -> AsyncIterator[TieredCache]:
    """Provide derivatives in memory, Redis and a bucket."""
    tiers = TieredCache([memory_derivatives, redis_derivatives, s3_derivatives])
    yield tiers
    await tiers.close()


@pytest.fixture
def file_upload_parts(tmp_path: Path) -> Iterator[FileUploadParts]:
    """Provide parts of uploads in a folder."""
    parts = FileUploadParts(tmp_path)
    yield parts
    parts.close()


@pytest.fixture
def s3_upload_parts(s3_client: "S3Client", s3: S3) -> S3UploadParts:
    """Provide parts of uploads in a bucket."""
    return S3UploadParts(s3_client, s3.bucket, "darkroom")
