"""What the ports `Derivatives` and `DerivativeStore` promise, for every adapter and for a tiered cache."""

import asyncio
import contextlib

import pytest

from proxy.core.identifiers import TenantName, tenant_name
from proxy.core.media.derivative import Derivative
from proxy.ports import Derivatives, DerivativeStore
from tests.adapters.samples import (
    ACME,
    LARGE,
    LARGE_PICTURE,
    LIMIT_BYTES,
    OTHER,
    OTHER_PICTURE,
    PICTURE,
    SMALL,
    key,
    named,
)


@pytest.fixture(
    params=["memory_derivatives", "file_derivatives", "redis_derivatives", "s3_derivatives", "tiers_derivatives"]
)
def derivatives(request: pytest.FixtureRequest) -> Derivatives:
    adapter: Derivatives = request.getfixturevalue(request.param)
    return adapter


@pytest.mark.parametrize("picture", [PICTURE, OTHER_PICTURE, LARGE_PICTURE], ids=["webp", "jpeg", "large"])
async def test_what_is_put_is_got(derivatives: Derivatives, picture: Derivative) -> None:
    await derivatives.put(key("one"), picture)
    assert await derivatives.get(key("one")) == picture


async def test_what_was_never_put_is_a_miss(derivatives: Derivatives) -> None:
    assert await derivatives.get(key("one")) is None


async def test_the_first_under_a_key_wins(derivatives: Derivatives) -> None:
    await derivatives.put(key("one"), PICTURE)
    await derivatives.put(key("one"), OTHER_PICTURE)
    assert await derivatives.get(key("one")) == PICTURE


async def test_keys_are_told_apart(derivatives: Derivatives) -> None:
    await derivatives.put(key("one"), PICTURE)
    await derivatives.put(key("two"), OTHER_PICTURE)
    assert await derivatives.get(key("one")) == PICTURE
    assert await derivatives.get(key("two")) == OTHER_PICTURE
    assert await derivatives.get(key("one", OTHER)) is None


async def test_puts_at_once_leave_one_of_them_whole(derivatives: Derivatives) -> None:
    pictures = [PICTURE, OTHER_PICTURE, LARGE_PICTURE] * 5
    await asyncio.gather(*(derivatives.put(key("one"), picture) for picture in pictures))
    assert await derivatives.get(key("one")) in pictures


async def test_one_that_is_too_large_is_declined(derivatives: Derivatives) -> None:
    huge = Derivative(bytes(LIMIT_BYTES * 9), PICTURE.format, 9, 9)
    await derivatives.put(key("one"), huge)
    assert await derivatives.get(key("one")) is None


@pytest.mark.parametrize("picture", [LARGE_PICTURE], ids=["large"])
async def test_a_cancelled_put_leaves_nothing_or_the_whole(derivatives: Derivatives, picture: Derivative) -> None:
    for pause_s in (0, 0.001, 0.005, 0.02):
        task = asyncio.ensure_future(derivatives.put(key("one"), picture))
        await asyncio.sleep(pause_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await derivatives.get(key("one")) in {None, picture}
    await derivatives.put(key("one"), picture)
    assert await derivatives.get(key("one")) == picture


async def test_a_purge_forgets_one_tenant_s_and_no_other_s(derivatives: Derivatives) -> None:
    for name in map(str, range(7)):
        await derivatives.put(key(name), PICTURE)
        await derivatives.put(key(name, OTHER), PICTURE)
    assert await derivatives.purge(ACME) == 7
    assert [await derivatives.get(key(name)) for name in map(str, range(7))] == [None] * 7
    assert [await derivatives.get(key(name, OTHER)) for name in map(str, range(7))] == [PICTURE] * 7
    assert await derivatives.purge(ACME) == 0
    await derivatives.put(key("one"), OTHER_PICTURE)
    assert await derivatives.get(key("one")) == OTHER_PICTURE


async def test_a_purge_of_an_original_deletes_its_derivatives_of_every_version_and_epoch_and_no_others(
    derivatives: Derivatives,
) -> None:
    purged = [key("one"), key("two"), key("one", epoch=3), key("one", version="6-8.18.7")]
    others = [key("one", original=LARGE), key("one", OTHER)]
    for name in (*purged, *others):
        await derivatives.put(name, PICTURE)
    assert await derivatives.purge(ACME, named(SMALL)) == 4
    assert [await derivatives.get(name) for name in purged] == [None] * 4
    assert [await derivatives.get(name) for name in others] == [PICTURE] * 2
    assert await derivatives.purge(ACME, named(SMALL)) == 0


async def test_a_tenant_whose_name_is_a_part_of_another_s_keys_purges_its_own_alone(derivatives: Derivatives) -> None:
    shard, epoch = tenant_name(named(SMALL)[:2]), tenant_name("0")
    for tenant in (ACME, shard, epoch):
        await derivatives.put(key("one", tenant), PICTURE)
    assert await derivatives.purge(shard) == 1
    assert await derivatives.purge(epoch) == 1
    assert await derivatives.get(key("one")) == PICTURE


@pytest.mark.parametrize("tenant", ["", "*", "..", "acme/0", "a*"])
async def test_what_is_no_tenant_purges_nothing(derivatives: Derivatives, tenant: str) -> None:
    await derivatives.put(key("one"), PICTURE)
    with contextlib.suppress(ValueError):
        assert await derivatives.purge(TenantName(tenant)) == 0
    assert await derivatives.get(key("one")) == PICTURE


@pytest.fixture(params=["file_derivatives", "s3_derivatives"])
def store(request: pytest.FixtureRequest) -> DerivativeStore:
    adapter: DerivativeStore = request.getfixturevalue(request.param)
    return adapter


async def test_folders_are_listed_by_level(store: DerivativeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.adapters.s3.bucket.BATCH", 2)
    assert await store.list_folders() == []
    for tenant in (ACME, OTHER, tenant_name("acme-2"), tenant_name("acme0")):
        for name in (key("one", tenant), key("two", tenant), key("one", tenant, epoch=10), key("one", tenant, epoch=9)):
            await store.put(name, PICTURE)
    await store.put(key("one", version="6-8.18.7"), PICTURE)
    assert await store.list_folders() == ["5-8.18.7", "6-8.18.7"]
    assert sorted(await store.list_folders("5-8.18.7")) == ["acme", "acme-2", "acme0", "other"]
    assert sorted(await store.list_folders("5-8.18.7/acme")) == ["0", "10", "9"]
    assert await store.list_folders("7-8.18.7") == []


async def test_a_folder_is_deleted_and_its_neighbours_stay(store: DerivativeStore) -> None:
    within = [key("one"), key("two"), key("one", original=LARGE)]
    beside = [key("one", epoch=1), key("one", OTHER), key("one", version="6-8.18.7")]
    for name in (*within, *beside):
        await store.put(name, PICTURE)
    counted = await store.delete_folder("5-8.18.7/acme/0", dry_run=True)
    assert counted.count == 3
    assert counted.size_bytes >= 3 * len(PICTURE.body)
    assert [await store.get(name) for name in within] == [PICTURE] * 3
    assert await store.delete_folder("5-8.18.7/acme/0") == counted
    assert [await store.get(name) for name in within] == [None] * 3
    assert [await store.get(name) for name in beside] == [PICTURE] * 3
    assert await store.list_folders("5-8.18.7/acme") == ["1"]
    assert (await store.delete_folder("5-8.18.7/acme/0")).count == 0


async def test_a_backend_that_is_there_answers_a_ping(derivatives: Derivatives) -> None:
    await derivatives.ping()


def test_a_tier_has_a_name(derivatives: Derivatives) -> None:
    assert derivatives.name in {"memory", "files", "redis", "s3", "tiers"}
