"""What the port `Derivatives` promises, of every adapter and of adapters stacked."""

import asyncio

import pytest

from proxy.core.media.derivative import Derivative
from proxy.ports import Derivatives
from tests.adapters.samples import (
    ACME,
    LARGE_PICTURE,
    LIMIT_BYTES,
    OTHER,
    OTHER_PICTURE,
    PICTURE,
    key,
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


async def test_a_backend_that_is_there_answers_a_ping(derivatives: Derivatives) -> None:
    await derivatives.ping()


def test_a_tier_has_a_name(derivatives: Derivatives) -> None:
    assert derivatives.name in {"memory", "files", "redis", "s3", "tiers"}
