"""The memory tier's budget."""

import pytest

from proxy.adapters import memory as memory_module
from proxy.adapters.memory import MemoryDerivatives
from proxy.core.identifiers import DerivativeKey, Digest, TenantName
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import WEBP
from proxy.ports import OriginalName
from tests.adapters.samples import ACME, OTHER, PICTURE, key

BUDGET_BYTES = 64 * 2**10


def picture(size_bytes: int) -> Derivative:
    return Derivative(bytes(size_bytes), WEBP, 1, 1)


async def test_the_budget_is_never_exceeded() -> None:
    memory = MemoryDerivatives(BUDGET_BYTES)
    for number in range(500):
        await memory.put(key(str(number)), picture(number * 31 % 7000))
        assert memory.used_bytes <= BUDGET_BYTES


async def test_the_least_recently_used_goes_first() -> None:
    memory = MemoryDerivatives(BUDGET_BYTES)
    for number in range(9):
        await memory.put(key(str(number)), picture(6_000))
    await memory.get(key("0"))
    await memory.put(key("9"), picture(6_000))
    await memory.put(key("10"), picture(6_000))
    assert await memory.get(key("0")) is not None
    assert await memory.get(key("1")) is None


async def test_a_body_over_an_eighth_of_the_budget_is_declined_and_drops_nothing() -> None:
    memory = MemoryDerivatives(BUDGET_BYTES)
    await memory.put(key("small"), PICTURE)
    await memory.put(key("large"), picture(BUDGET_BYTES // 8))
    assert await memory.get(key("large")) is None
    assert await memory.get(key("small")) == PICTURE


async def test_many_tiny_bodies_cost_more_than_their_bytes() -> None:
    memory = MemoryDerivatives(BUDGET_BYTES)
    for number in range(10_000):
        await memory.put(key(str(number)), picture(0))
    stored = [number for number in range(10_000) if memory.peek(key(str(number)))]
    assert 0 < len(stored) <= BUDGET_BYTES // 400


async def test_no_budget_keeps_nothing() -> None:
    memory = MemoryDerivatives(0)
    await memory.put(key("one"), picture(0))
    assert memory.used_bytes == 0


async def test_originals_are_forgotten_with_all_that_was_made_of_them_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "_SLICE", 3)
    memory = MemoryDerivatives(2**20)
    one, other = Digest("aa" + "1" * 62), Digest("aa" + "2" * 62)

    def name(tenant: TenantName, original: Digest, variant: int) -> DerivativeKey:
        return DerivativeKey(f"5-8.18.7/{tenant}/0/aa/{original}/{variant:064x}")

    keys = {
        (tenant, original): [name(tenant, original, variant) for variant in range(4)]
        for tenant in (ACME, OTHER)
        for original in (one, other)
    }
    for names in keys.values():
        for derivative in names:
            memory.store(derivative, PICTURE)
    await memory.forget({OriginalName(ACME, one), OriginalName(OTHER, other)})
    left = {place for place, names in keys.items() if any(memory.peek(derivative) for derivative in names)}
    assert left == {(ACME, other), (OTHER, one)}
    assert memory.used_bytes == 8 * (len(PICTURE.body) + 512)
