"""Tenants over the API, for operators."""

from typing import Any

from sqlmodel import select

from catalog.core.job_state import Priority
from catalog.core.roles import Role
from catalog.jobs.enqueue import System, enqueue
from catalog.presets.service import DEFAULTS
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.tables import Job, Original, Record, Tenant
from catalog.tenants.tenant_repository import SqlTenantRepository, find_signer
from proxy.core.identifiers import TenantName
from proxy.core.url.signing import SigningKey
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_presets import all_items
from tests.catalog.api.test_settings import completed
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.samples import ACME, ZOO, add_images

NEW = TenantName("new")
SECRET = "correct-horse-battery-staple"


async def rows_of(database: Database, tenant: TenantName) -> dict[str, int]:
    """Return how many rows each table has of a tenant."""
    counts: dict[str, int] = {}
    async with database.reading() as session:
        for table in Record.metadata.sorted_tables:
            if "tenant" in table.columns:
                rows = await session.execute(table.select().where(table.columns["tenant"] == tenant))
                counts[table.name] = len(rows.all())
    return {name: count for name, count in counts.items() if count}


async def test_a_tenant_is_created_read_changed_and_deleted(client_of: ClientOf, database: Database) -> None:
    operator = await client_of(Role.OPERATOR)
    created = await operator.post("/api/tenants", json={"name": "new", "secret": SECRET, "settings": {"hints": True}})
    assert (created.status_code, created.headers["location"]) == (201, "/api/tenants/new")
    assert (created.json()["name"], created.json()["key"]["secret"]) == ("new", SECRET)
    tenant = await find_signer(database, NEW)
    assert tenant.keys[0].seal("x") == SigningKey.derive(SECRET).seal("x")
    assert (tenant.presets.keys(), tenant.hints) == (DEFAULTS.keys(), True)
    read = await operator.get("/api/tenants/new")
    shown: dict[str, Any] = read.json()
    assert shown.pop("settings") == completed({"hints": True})
    assert shown in await all_items(operator, "/api/tenants", 2)
    assert (shown["keys"], shown["originals"], shown["images"]) == (1, 0, 0)
    tag = {"if-match": read.headers["etag"]}
    changed = await operator.put("/api/tenants/new", json={"settings": {"scan": True}}, headers=tag)
    assert changed.json()["settings"] == completed({"scan": True})
    assert_problem(
        await operator.put("/api/tenants/new", json={"settings": {}}, headers=tag), 412, "precondition-failed"
    )
    assert_problem(await operator.delete("/api/tenants/new", headers=tag), 412, "precondition-failed")
    assert_problem(await operator.post("/api/tenants", json={"name": "new"}), 409, "tenant-exists")
    assert (await operator.delete("/api/tenants/new")).status_code == 204
    for answer in (await operator.get("/api/tenants/new"), await operator.delete("/api/tenants/new")):
        assert_problem(answer, 404, "tenant-missing")
    assert await SqlTenantRepository(database).find(NEW) is None
    async with database.reading() as session:
        trail = list(await session.scalars(select(AuditEvent).where(AuditEvent.subject_id == "new")))
    assert [(event.tenant, event.action) for event in trail] == [
        ("new", "tenant.created"),
        ("new", "settings.updated"),
        ("new", "settings.updated"),
        ("acme", "tenant.deleted"),
    ]


async def test_a_deleted_tenant_leaves_its_trail_and_nothing_else(client_of: ClientOf, database: Database) -> None:
    operator, admin = await client_of(Role.OPERATOR), await client_of(Role.ADMIN, ZOO)
    await admin.post("/api/sources", json={"prefix": "https://img.example.com"})
    await admin.post("/api/collections", json={"name": "Summer"}, headers={"idempotency-key": "k"})
    await admin.put("/api/settings", json={"cors_origins": ["https://shop.example.com"]})
    before, acme = await rows_of(database, ZOO), await rows_of(database, ACME)
    assert {
        "source",
        "collection",
        "idempotency_key",
        "tenant_settings",
        "secret",
        "preset",
        "api_token",
    } <= before.keys()
    assert (await operator.delete("/api/tenants/zoo")).status_code == 204
    assert (await rows_of(database, ZOO)).keys() == {"audit_event"}
    after = await rows_of(database, ACME)
    assert {name: after.get(name) for name in acme if name not in {"audit_event", "job", "job_lane"}} == {
        name: count for name, count in acme.items() if name not in {"audit_event", "job", "job_lane"}
    }
    async with database.reading() as session:
        [job] = await session.scalars(select(Job))
    assert (job.tenant, job.parameters) == ("acme", {"tenant": "zoo"})
    assert (await operator.post("/api/tenants", json={"name": "zoo"})).status_code == 201


async def test_a_tenant_that_is_not_empty_is_not_deleted(client_of: ClientOf, database: Database) -> None:
    operator = await client_of(Role.OPERATOR)
    await add_images(database, 2, ZOO)
    async with database.writing() as session:
        session.add(
            Original(
                tenant=ZOO,
                sha256="a" * 64,
                media_type="image/png",
                width=1,
                height=1,
                orientation=1,
                frames=1,
                alpha=False,
                icc=False,
            )
        )
        await enqueue(session, System(ZOO), "test.kind", {}, Priority.BATCH)
    before = await rows_of(database, ZOO)
    answer = await operator.delete("/api/tenants/zoo")
    assert_problem(answer, 409, "tenant-not-empty")
    assert "2 images, 1 originals, 1 unfinished jobs" in answer.json()["detail"]
    assert await rows_of(database, ZOO) == before
    async with database.reading() as session:
        assert await session.get(Tenant, ZOO) is not None


async def test_the_callers_own_tenant_is_not_deleted(client_of: ClientOf) -> None:
    assert_problem(await (await client_of(Role.OPERATOR)).delete("/api/tenants/acme"), 409, "conflict")


async def test_only_operators_see_tenants(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for answer in (
        await admin.get("/api/tenants"),
        await admin.get("/api/tenants/acme"),
        await admin.post("/api/tenants", json={"name": "new"}),
        await admin.put("/api/tenants/acme", json={"settings": {}}),
        await admin.delete("/api/tenants/zoo"),
    ):
        assert_problem(answer, 403, "not-permitted")


async def test_bad_tenants_are_refused(client_of: ClientOf) -> None:
    operator = await client_of(Role.OPERATOR)
    for body, at in (
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "Acme"}, "/name"),
        ({"name": "a" * 32}, "/name"),
        ({"name": "a\0"}, "/name"),
        ({"name": "new", "secret": "short"}, "/secret"),
        ({"name": "new", "settings": {"hintz": 1}}, "/settings/hintz"),
        ({"name": "new", "settings": {"eager_presets": ["nowhere"]}}, "/settings/eager_presets/0"),
    ):
        answer = await operator.post("/api/tenants", json=body)
        assert_problem(answer, 422, "validation")
        assert [error["at"] for error in answer.json()["errors"]] == [at]
    names = [tenant["name"] for tenant in await all_items(operator, "/api/tenants", 50)]
    assert names == ["acme", "zoo"]
    for name in ("Acme", "%00", "a" * 32):
        assert_problem(await operator.get(f"/api/tenants/{name}"), 404, "not-found")
