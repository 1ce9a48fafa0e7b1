"""S3: stalled and cut connections, wrong bytes, metadata, and where the bytes are hashed."""

import io
import threading
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.adapters.offload import LARGE_BYTES
from proxy.adapters.s3 import S3Derivatives, S3Originals, open_s3
from proxy.adapters.s3.bucket import Bucket
from proxy.adapters.serialization import metadata_digest
from proxy.caching.tiers import TieredCache
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound, Unavailable
from proxy.ports import Deleted
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
    """Provide a client whose connections can be cut."""
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
    digest = metadata_digest(key("one"), PICTURE.labels(), sha256(PICTURE.body).digest())
    assert head["Metadata"] == PICTURE.labels() | {"cache-tag": TAG, "digest": digest}


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


@pytest.mark.parametrize("change", ["body", "digest", "width", "height", "format", "all"])
async def test_a_damaged_derivative_is_a_miss_and_can_be_put_again(
    s3_derivatives: S3Derivatives, s3: S3, s3_client: "S3Client", change: str
) -> None:
    digest = metadata_digest(key("one"), PICTURE.labels(), sha256(PICTURE.body).digest())
    labels = PICTURE.labels() | {"digest": digest}
    body = b"x" + PICTURE.body[1:] if change == "body" else PICTURE.body
    labels = {} if change == "all" else labels | ({change: "9"} if change in labels else {})
    name = f"darkroom/derivatives/{key('one')}"
    await s3_client.put_object(Bucket=s3.bucket, Key=name, Body=body, Metadata=labels)
    assert await s3_derivatives.get(key("one")) is None
    await s3_derivatives.put(key("one"), OTHER_PICTURE)
    assert await s3_derivatives.get(key("one")) == OTHER_PICTURE


async def test_a_derivative_under_another_key_is_a_miss(
    s3_derivatives: S3Derivatives, s3: S3, s3_client: "S3Client"
) -> None:
    await s3_derivatives.put(key("one"), PICTURE)
    source = f"{s3.bucket}/darkroom/derivatives/{key('one')}"
    await s3_client.copy_object(Bucket=s3.bucket, Key=f"darkroom/derivatives/{key('two')}", CopySource=source)
    assert await s3_derivatives.get(key("one")) == PICTURE
    assert await s3_derivatives.get(key("two")) is None


@pytest.mark.parametrize(
    "wrong", [b"", SMALL[:-1], b"x" + SMALL[1:], LARGE + LARGE], ids=["empty", "cut", "byte", "long"]
)
async def test_putting_an_original_again_mends_a_damaged_one(
    s3_originals: S3Originals, s3: S3, s3_client: "S3Client", wrong: bytes
) -> None:
    await put(s3_originals, SMALL)
    await s3_client.put_object(Bucket=s3.bucket, Key=original_key(SMALL), Body=wrong)
    assert await put(s3_originals, SMALL) is True
    assert content_of(await s3_originals.open(ACME, named(SMALL))) == SMALL
    head = await s3_client.head_object(Bucket=s3.bucket, Key=original_key(SMALL))
    assert (head["ContentType"], head["Metadata"]) == ("image/jpeg", {"cache-tag": TAG})
    assert await put(s3_originals, SMALL) is False


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


# a store that accepts and does not answer


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.adapters.s3.bucket._LOOK_UP_S", 0.1)
    monkeypatch.setattr("proxy.adapters.s3.bucket._FETCH_S", 0.1)


async def calls_after_opening(cutter: Cutter, call: Callable[[], Awaitable[object]]) -> int:
    """Fail thrice on a store that hangs, then call twenty times; how many connections those took."""
    cutter.stall()
    for _ in range(3):
        with pytest.raises(Unavailable) as raised:
            await call()
        assert isinstance(raised.value.__cause__, TimeoutError), "not the SDK's own, which is longer"
    before = cutter.connections
    for _ in range(20):
        with pytest.raises(Unavailable):
            await call()
    return cutter.connections - before


@pytest.mark.usefixtures("short_waits")
async def test_a_stalled_store_is_unavailable_and_then_spared(
    cut_originals: S3Originals, cut_derivatives: S3Derivatives, s3_cutter: Cutter
) -> None:
    # a probe is let through per pause, and twenty refusals may outlast one on a slow machine
    assert await calls_after_opening(s3_cutter, lambda: cut_originals.open(ACME, named(SMALL))) <= 2
    assert await calls_after_opening(s3_cutter, lambda: cut_derivatives.get(key("one"))) <= 2
    await s3_cutter.restore()
    await cut_derivatives.ping()
    assert await cut_derivatives.get(key("one")) is None


async def test_a_stalled_store_opens_the_breaker_of_callers_that_do_not_wait(
    cut_derivatives: S3Derivatives, s3_cutter: Cutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each caller cancels its call after the breaker's patience, before the call would fail by itself."""
    monkeypatch.setattr("proxy.caching.tiers._LOOK_UP_S", 0.6)
    skipped: list[str] = []
    tiers = TieredCache([cut_derivatives], on_skip=skipped.append)
    s3_cutter.stall()
    for _ in range(3):
        assert await tiers.find(key("one")) is None
    with pytest.raises(Unavailable):
        await cut_derivatives.get(key("one"))
    assert skipped == ["s3"] * 3


async def test_a_look_up_makes_one_attempt_and_an_original_two(
    cut_derivatives: S3Derivatives, cut_originals: S3Originals, s3_cutter: Cutter
) -> None:
    s3_cutter.cut_after(0)
    for get, most in ((cut_derivatives.get(key("one")), 2), (cut_originals.open(ACME, named(SMALL)), 4)):
        before = s3_cutter.connections
        with pytest.raises(Unavailable):
            await get
        # aiohttp itself tries a second connection where one was closed before it answered
        assert s3_cutter.connections - before <= most


# what is denied


async def test_a_denial_states_the_permissions_that_are_needed(s3: S3) -> None:
    async with open_s3("us-east-1", s3.endpoint_url, s3.access_key_id, "wrong") as client:
        with pytest.raises(Unavailable, match="s3:ListBucket"):
            await S3Originals(client, s3.bucket, "", LIMIT_BYTES).open(ACME, named(SMALL))


# deletion in bulk


async def test_a_folder_of_more_than_a_batch_is_deleted_and_its_neighbours_stay(
    s3_derivatives: S3Derivatives, s3: S3, s3_client: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.adapters.s3.bucket.BATCH", 3)
    requests: list[str] = []
    s3_client.meta.events.register("before-call.s3", lambda model, **_: requests.append(model.name))
    for name in map(str, range(7)):
        await s3_derivatives.put(key(name), PICTURE)
    neighbour = f"darkroom/derivatives/{key('one').replace('/acme/', '/acme2/')}"
    await s3_client.put_object(Bucket=s3.bucket, Key=neighbour, Body=b"")
    requests.clear()
    assert await s3_derivatives.delete_folder("5-8.18.7/acme", dry_run=True) == Deleted(7, 7 * len(PICTURE.body))
    assert "DeleteObjects" not in requests
    assert await s3_derivatives.delete_folder("5-8.18.7/acme") == Deleted(7, 7 * len(PICTURE.body))
    assert requests.count("DeleteObjects") == 3
    assert "DeleteObject" not in requests
    assert await s3_derivatives.delete_folder("5-8.18.7/acme") == Deleted(0, 0)
    await s3_client.head_object(Bucket=s3.bucket, Key=neighbour)


# where bytes are hashed


class HashCounter:
    """Counts the bytes that are hashed on the thread that made it, which is the event loop's."""

    def __init__(self) -> None:
        self.loop_thread = threading.get_ident()
        self.loop_bytes = 0
        self.other_bytes = 0

    def __call__(self, content: bytes = b"", **_: object) -> "HashCounter._Hash":
        digest = self._Hash(self)
        digest.update(content)
        return digest

    class _Hash:
        digest_size, block_size = 32, 64

        def __init__(self, counter: "HashCounter") -> None:
            self._counter = counter
            self._hash = sha256()

        def update(self, content: bytes) -> None:
            if threading.get_ident() == self._counter.loop_thread:
                self._counter.loop_bytes += len(content)
            else:
                self._counter.other_bytes += len(content)
            self._hash.update(content)

        def digest(self) -> bytes:
            return self._hash.digest()

        def copy(self) -> "HashCounter._Hash":
            copied = HashCounter._Hash(self._counter)
            copied._hash = self._hash.copy()
            return copied

        def hexdigest(self) -> str:
            return self._hash.hexdigest()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> HashCounter:
    counter = HashCounter()
    for module in ("botocore.auth", "proxy.adapters.offload", "proxy.adapters.s3.originals"):
        monkeypatch.setattr(f"{module}.sha256", counter)
    return counter


async def test_large_bodies_are_not_hashed_on_the_event_loop(
    s3_originals: S3Originals, s3_derivatives: S3Derivatives, hashed: HashCounter
) -> None:
    await put(s3_originals, LARGE)
    (await s3_originals.open(ACME, named(LARGE))).close()
    await s3_derivatives.put(key("one"), LARGE_PICTURE)
    assert await s3_derivatives.get(key("one")) == LARGE_PICTURE
    assert hashed.other_bytes >= len(LARGE) + 2 * len(LARGE_PICTURE.body) - 2**20
    # signatures, and the end of an original that is too small for a thread
    assert hashed.loop_bytes < LARGE_BYTES


async def test_the_hash_that_is_signed_is_checked_by_the_store(s3: S3, s3_client: "S3Client") -> None:
    """A wrong checksum is a wrong signature and a wrong body: nothing is stored."""
    bucket = Bucket(s3_client, s3.bucket, "")
    digest = sha256(b"other bytes").digest()
    with pytest.raises(Unavailable):
        async with bucket.call():
            await bucket.put("name", io.BytesIO(b"bytes"), digest=digest, media_type="text/plain", labels={})
    async with bucket.call():
        assert await bucket.look_up("name") is None
