"""Tenants, keys and their rotation, on both databases."""

import asyncio

import pytest
from sqlmodel import func, select

from catalog.core.errors import KeyConflict, KeyNotFound, TenantExists, TenantNotFound
from catalog.keys.service import MOST_KEYS, NewKey
from catalog.records.database import Database
from catalog.records.tables import Secret, Tenant
from catalog.tenants.rules import how_to_raise, limits_of
from catalog.tenants.tenant_repository import SqlTenantRepository, find_signer
from proxy.core.identifiers import TenantName
from proxy.core.planning.limits import HARD_CAPS, Limits
from proxy.core.url.signing import SigningKey, verify
from proxy.settings import Settings
from tests.catalog.services import (
    begin_cache_epoch,
    change_rules,
    create_key,
    create_tenant,
    find_tenant,
    list_keys,
    list_tenants,
    retire_key,
)

ACME = TenantName("acme")
SECRET = "correct-horse-battery-staple"


async def test_a_tenant_begins_with_a_key_that_seals_as_the_contract_says(database: Database) -> None:
    await create_tenant(database, ACME, SECRET)
    known = await SqlTenantRepository(database, Limits(source_bytes=5)).find(ACME)
    assert known is not None
    assert known.limits.source_bytes == 5
    path = "/t/acme/7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed/w320-h180-webp"
    assert [key.seal(path) for key in known.keys] == ["OeCAFYkyrny7KpySP1JiPLb_guz-lQ4lj32Sx93vxRs"]


async def test_made_secrets_are_long_and_differ(database: Database) -> None:
    keys = [await create_tenant(database, TenantName(name)) for name in ("one", "two")]
    assert keys[0].secret != keys[1].secret
    assert min(len(key.secret) for key in keys) >= 43


async def test_a_new_key_hides_its_secret_in_repr(database: Database) -> None:
    made = await create_tenant(database, ACME, SECRET)
    assert SECRET not in repr(made)
    assert SECRET not in repr(Secret(tenant="acme", encrypted_secret=SECRET, fingerprint=SECRET))


async def test_of_eight_who_create_one_tenant_one_does(database: Database) -> None:
    answers = await asyncio.gather(*(create_tenant(database, ACME) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(answer, NewKey) for answer in answers) == 1
    assert sum(isinstance(answer, TenantExists) for answer in answers) == 7
    async with database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Tenant)) == 1
        assert await session.scalar(select(func.count()).select_from(Secret)) == 1


async def test_tenants_are_listed_by_name_with_what_they_have(database: Database) -> None:
    for name in ("zoo", "acme"):
        await create_tenant(database, TenantName(name))
    await create_key(database, ACME)
    assert [(tenant.name, tenant.keys, tenant.originals) for tenant in await list_tenants(database)] == [
        ("acme", 2, 0),
        ("zoo", 1, 0),
    ]
    assert (await find_tenant(database, ACME)).keys == 2


async def test_an_edition_is_counted_up_by_each_who_begins_one(database: Database) -> None:
    for name in ("zoo", "acme"):
        await create_tenant(database, TenantName(name))
    assert (await find_signer(database, ACME)).cache_epoch == 0
    await asyncio.gather(*(begin_cache_epoch(database, ACME) for _ in range(4)))
    assert (await find_signer(database, ACME)).cache_epoch == 4
    assert (await find_signer(database, TenantName("zoo"))).cache_epoch == 0


async def test_an_unknown_tenant_is_missing_everywhere(database: Database) -> None:
    assert await SqlTenantRepository(database).find(ACME) is None
    for attempt in (
        find_tenant(database, ACME),
        find_signer(database, ACME),
        create_key(database, ACME),
        list_keys(database, ACME),
        retire_key(database, ACME, 1),
    ):
        with pytest.raises(TenantNotFound, match="darkroom tenant create acme"):
            await attempt


async def test_rotation_the_newest_signs_and_all_that_are_not_retired_verify(database: Database) -> None:
    first = await create_tenant(database, ACME)
    second = await create_key(database, ACME)
    third = await create_key(database, ACME)
    await retire_key(database, ACME, second.id)
    known = await find_signer(database, ACME)
    assert known.keys[0].seal("text") == SigningKey.derive(third.secret).seal("text")
    honoured = [
        verify(known.keys, "text", SigningKey.derive(key.secret).seal("text")) for key in (first, second, third)
    ]
    assert honoured == [True, False, True]


async def test_keys_are_listed_newest_first_without_their_secrets(database: Database) -> None:
    first = await create_tenant(database, ACME, SECRET)
    second = await create_key(database, ACME)
    await retire_key(database, ACME, first.id)
    listed = await list_keys(database, ACME)
    assert [(key.id, key.retired_at is None) for key in listed] == [(second.id, True), (first.id, False)]
    # sha256sum of the secret, its first eight digits
    assert listed[1].fingerprint == "87cbebfe"
    assert SECRET not in repr(listed)


async def test_the_last_key_stays(database: Database) -> None:
    only = await create_tenant(database, ACME)
    with pytest.raises(KeyConflict, match="last one"):
        await retire_key(database, ACME, only.id)
    assert len((await find_signer(database, ACME)).keys) == 1


async def test_two_who_retire_the_last_two_keys_leave_one(database: Database) -> None:
    keys = [(await create_tenant(database, ACME)).id, (await create_key(database, ACME)).id]
    answers = await asyncio.gather(*(retire_key(database, ACME, key) for key in keys), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["KeyConflict", "NoneType"]


async def test_a_key_is_retired_once_and_by_its_own_tenant(database: Database) -> None:
    first = await create_tenant(database, ACME)
    await create_key(database, ACME)
    other = await create_tenant(database, TenantName("other"))
    await create_key(database, TenantName("other"))
    await retire_key(database, ACME, first.id)
    for key in (first.id, other.id, 999_999):
        with pytest.raises(KeyNotFound, match=f"no key {key}"):
            await retire_key(database, ACME, key)


async def test_keys_that_verify_are_bounded_also_for_many_who_add_at_once(database: Database) -> None:
    await create_tenant(database, ACME)
    answers = await asyncio.gather(*(create_key(database, ACME) for _ in range(MOST_KEYS + 2)), return_exceptions=True)
    assert sum(isinstance(answer, KeyConflict) for answer in answers) == 3
    assert len((await find_signer(database, ACME)).keys) == MOST_KEYS


@pytest.mark.parametrize("poor", ["", "fifteen-letters", "x" * 257, "sixteen letters\n", "nul\0nul\0nul\0nul\0"])
async def test_a_poor_secret_is_refused_and_nothing_written(database: Database, poor: str) -> None:
    with pytest.raises(KeyConflict, match="16 to 256 printable"):
        await create_tenant(database, ACME, poor)
    assert await list_tenants(database) == []


async def test_a_secret_is_not_used_twice_by_one_tenant(database: Database) -> None:
    """Nor is a retired one; other tenants may use the same secret."""
    first = await create_tenant(database, ACME, SECRET)
    await create_key(database, ACME)
    await retire_key(database, ACME, first.id)
    with pytest.raises(KeyConflict, match="before"):
        await create_key(database, ACME, SECRET)
    assert (await create_tenant(database, TenantName("other"), SECRET)).secret == SECRET


@pytest.mark.parametrize("secret", ["x" * 16, "ü" * 256, "日本語の秘密の言葉は長いほうがよい", "sixteen letters!"])
async def test_any_printable_secret_of_the_right_length_will_do(database: Database, secret: str) -> None:
    await create_tenant(database, ACME, secret)
    assert (await find_signer(database, ACME)).keys[0].seal("x") == SigningKey.derive(secret).seal("x")


def test_limits_come_from_the_settings_and_never_pass_the_hard_caps() -> None:
    limits = limits_of(Settings(source_bytes=10**12, source_pixels=5))
    assert limits.source_bytes == HARD_CAPS.source_bytes
    assert limits.source_pixels == 5


@pytest.mark.parametrize(
    ("own", "limit", "usual", "expected"),
    [
        ({}, "source_side", Limits(), "DARKROOM_SOURCE_SIDE."),
        ({"source_pixels": 5}, "source_side", Limits(), "DARKROOM_SOURCE_SIDE."),
        (
            {"source_side": 5},
            "source_side",
            Limits(),
            "the tenant's own limit: darkroom tenant set acme --limit source_side=…",
        ),
        ({"source_side": HARD_CAPS.source_side}, "source_side", Limits(), None),
        ({}, "source_side", HARD_CAPS, None),
        (
            {"source_side": 5},
            "source_side",
            HARD_CAPS,
            "the tenant's own limit: darkroom tenant set acme --limit source_side=…",
        ),
        ({"source_bytes": 500}, "source_bytes", Limits(source_bytes=400), "DARKROOM_SOURCE_BYTES."),
    ],
)
async def test_a_limit_is_raised_where_it_is_set(
    database: Database, own: dict[str, int], limit: str, usual: Limits, expected: str | None
) -> None:
    await create_tenant(database, ACME)
    await change_rules(database, ACME, limits=own)
    assert await how_to_raise(database, ACME, limit, usual) == expected


def test_default_settings_are_the_default_limits() -> None:
    assert limits_of(Settings()) == Limits()


@pytest.mark.parametrize("limits", ['{"albums": 5, "output_side": 100}', '{"output_side": 100}'])
async def test_limits_of_a_newer_version_are_ignored(database: Database, limits: str) -> None:
    await create_tenant(database, ACME)
    async with database.writing() as session:
        row = (await session.scalars(select(Tenant))).one()
        row.limits = limits
    tenant = await SqlTenantRepository(database).find(ACME)
    assert tenant is not None
    assert tenant.limits == Limits(output_side=100)


async def test_the_names_of_all_tenants(database: Database) -> None:
    assert await SqlTenantRepository(database).names() == frozenset()
    for name in ("zoo", "acme"):
        await create_tenant(database, TenantName(name))
    assert await SqlTenantRepository(database).names() == {"acme", "zoo"}


async def test_ping_returns_when_the_database_answers(database: Database) -> None:
    await SqlTenantRepository(database).ping()
