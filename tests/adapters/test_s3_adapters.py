"""S3: cut connections, wrong bytes, and what stands beside an object."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.adapters.bucket import open_s3
from proxy.adapters.s3 import S3Derivatives, S3Originals
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound, Unavailable
from tests.adapters.samples import (
    ACME,
    LARGE,
    LARGE_PICTURE,
    LIMIT_BYTES,
    OTHER_PICTURE,
    PICTURE,
    SMALL,
    content_of,
    key,
    named,
    opened,
)
from tests.servers.cutter import Cutter
from tests.servers.fixtures import S3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from types_aiobotocore_s3.client import S3Client

TAG = f"a-acme-{named(SMALL)}, t-acme"


async def put(originals: S3Originals, content: bytes) -> bool:
    with opened(content) as source:
        return await originals.put(ACME, named(content), source)


def original_key(content: bytes) -> str:
    return f"darkroom/originals/acme/{named(content)}"


@pytest.fixture
async def cut_client(s3: S3, s3_cutter: Cutter) -> "AsyncIterator[S3Client]":
    """Give a client whose connections can be cut."""
    address = f"http://{s3_cutter.host}:{s3_cutter.port}"
    async with open_s3("us-east-1", address, s3.access_key_id, s3.secret_access_key) as client:
        yield client


@pytest.fixture
def cut_originals(cut_client: "S3Client", s3: S3) -> S3Originals:
    return S3Originals(cut_client, s3.bucket, "darkroom", LIMIT_BYTES)


@pytest.fixture
def cut_derivatives(cut_client: "S3Client", s3: S3) -> S3Derivatives:
    return S3Derivatives(cut_client, s3.bucket, "darkroom", LIMIT_BYTES)


async def test_an_original_says_what_it_is(s3_originals: S3Originals, s3: S3, s3_client: "S3Client") -> None:
    await put(s3_originals, SMALL)
    head = await s3_client.head_object(Bucket=s3.bucket, Key=original_key(SMALL))
    assert head["ContentType"] == "image/jpeg"
    assert head["Metadata"] == {"cache-tag": TAG}
    assert "ContentDisposition" not in head


async def test_a_derivative_can_be_served_as_it_is(
    s3_derivatives: S3Derivatives, s3: S3, s3_client: "S3Client"
) -> None:
    await s3_derivatives.put(key("one"), PICTURE)
    head = await s3_client.head_object(Bucket=s3.bucket, Key=f"darkroom/derivatives/{key('one')}")
    assert head["ContentType"] == "image/webp"
    assert head["CacheControl"] == "public, max-age=31536000, immutable"
    assert head["ContentLength"] == len(PICTURE.body)
    assert head["Metadata"] == PICTURE.labels() | {"cache-tag": TAG, "sha256": sha256(PICTURE.body).hexdigest()}


async def test_without_a_prefix_objects_lie_at_the_top(s3: S3, s3_client: "S3Client") -> None:
    await put(S3Originals(s3_client, s3.bucket, "", LIMIT_BYTES), SMALL)
    await s3_client.head_object(Bucket=s3.bucket, Key=f"originals/acme/{named(SMALL)}")


@pytest.mark.parametrize("wrong", [b"", SMALL[:-1], SMALL + b"x", b"x" + SMALL[1:]])
async def test_an_original_whose_bytes_are_others_is_damaged(
    s3_originals: S3Originals, s3: S3, s3_client: "S3Client", wrong: bytes
) -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key=original_key(SMALL), Body=wrong)
    with pytest.raises(CorruptImage):
        await s3_originals.open(ACME, named(SMALL))


async def test_a_stored_original_over_the_limit_is_refused_with_the_number(
    s3_originals: S3Originals, s3: S3, s3_client: "S3Client"
) -> None:
    await put(s3_originals, LARGE)
    with pytest.raises(LimitExceeded, match="1000"):
        await S3Originals(s3_client, s3.bucket, "darkroom", 1000).open(ACME, named(LARGE))


@pytest.mark.parametrize("change", ["body", "sha256", "width", "format", "all"])
async def test_a_damaged_derivative_is_a_miss_and_can_be_put_again(
    s3_derivatives: S3Derivatives, s3: S3, s3_client: "S3Client", change: str
) -> None:
    labels = PICTURE.labels() | {"sha256": sha256(PICTURE.body).hexdigest()}
    body = b"x" + PICTURE.body[1:] if change == "body" else PICTURE.body
    labels = {} if change == "all" else labels | ({change: "wrong"} if change in labels else {})
    name = f"darkroom/derivatives/{key('one')}"
    await s3_client.put_object(Bucket=s3.bucket, Key=name, Body=body, Metadata=labels)
    assert await s3_derivatives.get(key("one")) is None
    await s3_derivatives.put(key("one"), OTHER_PICTURE)
    assert await s3_derivatives.get(key("one")) == OTHER_PICTURE


async def test_an_original_cut_in_its_middle_is_unavailable_and_leaves_no_descriptor(
    s3_originals: S3Originals, cut_originals: S3Originals, s3_cutter: Cutter
) -> None:
    await put(s3_originals, LARGE)
    s3_cutter.cut_after(1_000_000)
    with pytest.raises(Unavailable) as raised:
        await cut_originals.open(ACME, named(LARGE))
    assert raised.value.__cause__ is not None
    assert not any("darkroom-original" in link for link in open_files())
    await s3_cutter.restore()
    assert content_of(await cut_originals.open(ACME, named(LARGE))) == LARGE


def open_files() -> list[str]:
    return [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]


async def test_a_derivative_cut_in_its_middle_is_unavailable(
    s3_derivatives: S3Derivatives, cut_derivatives: S3Derivatives, s3_cutter: Cutter
) -> None:
    await s3_derivatives.put(key("one"), LARGE_PICTURE)
    s3_cutter.cut_after(1_000_000)
    with pytest.raises(Unavailable):
        await cut_derivatives.get(key("one"))
    await s3_cutter.restore()
    assert await cut_derivatives.get(key("one")) == LARGE_PICTURE


async def test_a_connection_lost_while_it_lay_idle_costs_nothing(cut_originals: S3Originals, s3_cutter: Cutter) -> None:
    await cut_originals.ping()
    s3_cutter.cut()
    assert await put(cut_originals, LARGE) is True
    assert content_of(await cut_originals.open(ACME, named(LARGE))) == LARGE


async def test_a_store_that_is_out_is_unavailable_and_then_spared(
    cut_originals: S3Originals, s3_cutter: Cutter
) -> None:
    await s3_cutter.refuse()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await cut_originals.open(ACME, named(SMALL))
    await s3_cutter.restore()
    with pytest.raises(Unavailable):
        await cut_originals.open(ACME, named(SMALL))
    assert s3_cutter.connections == 0
    await cut_originals.ping()
    with pytest.raises(NotFound):
        await cut_originals.open(ACME, named(SMALL))


async def test_a_bucket_that_is_not_there_is_unavailable(s3_client: "S3Client") -> None:
    nowhere = S3Originals(s3_client, "darkroom-test-nowhere", "", LIMIT_BYTES)
    with pytest.raises(Unavailable):
        await nowhere.open(ACME, named(SMALL))
    with pytest.raises(Unavailable):
        await put(nowhere, SMALL)
    with pytest.raises(Unavailable):
        await nowhere.ping()


async def test_a_wrong_key_is_unavailable(s3: S3) -> None:
    async with open_s3("us-east-1", s3.endpoint_url, s3.access_key_id, "wrong") as client:
        with pytest.raises(Unavailable):
            await S3Originals(client, s3.bucket, "", LIMIT_BYTES).open(ACME, named(SMALL))
