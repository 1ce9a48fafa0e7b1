"""The settings of a tenant over the API, and what follows from them."""

import asyncio
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import httpx
from sqlmodel import select

from catalog.core.job_state import Priority
from catalog.core.roles import Role, Scope
from catalog.core.tenant_rules import Retention, TenantRules
from catalog.core.upload_rules import TenantUploadRules, UploadRules
from catalog.images.url_builder import read_path
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.records.tables import Job, TenantSettings
from catalog.settings.schemas import (
    LimitsDocument,
    RenderingDocument,
    RetentionDocument,
    SettingsDocument,
    UploadRulesDocument,
    UploadsDocument,
    document_of,
)
from catalog.settings.service import OwnSettings
from catalog.settings.tasks import PURGE
from catalog.tenants.rules import rules_of_tenant
from catalog.tenants.tenant_repository import SqlTenantRepository
from catalog.worker import handlers_of
from proxy.core.identifiers import derivative_key
from proxy.core.planning.limits import HARD_CAPS, Limits
from proxy.core.planning.rendering_options import RenderingOptions
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.images.pictures import FRAGMENT, located, picture
from tests.catalog.samples import ACME, ZOO

SETTINGS, UPLOAD = "/api/settings", "/api/images/upload"
ALL: dict[str, Any] = {
    "limits": {"output_side": 2_048, "source_bytes": 500_000},
    "rendering": {"linear": True, "crisp": False, "wide": True},
    "hints": True,
    "reference_ttl_s": 60,
    "uploads": {
        "default": {"max_bytes": 100_000, "max_pixels": 1_000_000, "formats": ["jpeg", "png"], "extensions": ["jpg"]},
        "by_entity_type": {"logo": {"formats": ["png"], "require_matching_type": False, "reject_trailing_data": True}},
    },
    "retention": {"trash_days": 7, "versions_days": 90, "audit_days": None, "jobs_days": 1},
    "keep_location": True,
    "eager_presets": ["card", "preview"],
    "optimize": False,
    "scan": True,
    "cors_origins": ["https://shop.example.com"],
}
BAD: list[tuple[object, str]] = [
    ([], ""),
    ({"hintz": True}, "/hintz"),
    ({"hints": 1}, "/hints"),
    ({"hints": "true"}, "/hints"),
    ({"hints": None}, "/hints"),
    ({"limits": {"colour": 1}}, "/limits/colour"),
    ({"limits": {"output_side": 0}}, "/limits/output_side"),
    ({"limits": {"output_side": HARD_CAPS.output_side + 1}}, "/limits/output_side"),
    ({"limits": {"output_side": 10**30}}, "/limits/output_side"),
    ({"limits": {"output_side": "5"}}, "/limits/output_side"),
    ({"limits": {"output_side": 5.0}}, "/limits/output_side"),
    ({"limits": {"output_side": True}}, "/limits/output_side"),
    ({"rendering": {"sepia": True}}, "/rendering/sepia"),
    ({"reference_ttl_s": 0}, "/reference_ttl_s"),
    ({"reference_ttl_s": 10**9}, "/reference_ttl_s"),
    ({"uploads": {"default": {"max_bytes": 0}}}, "/uploads/default/max_bytes"),
    ({"uploads": {"default": {"max_bytes": 10**12}}}, "/uploads/default/max_bytes"),
    ({"uploads": {"default": {"formats": []}}}, "/uploads/default/formats"),
    ({"uploads": {"default": {"formats": ["bmp"]}}}, "/uploads/default/formats/0"),
    ({"uploads": {"default": {"extensions": ["php"]}}}, "/uploads/default/extensions/0"),
    ({"uploads": {"default": {"extensions": [".jpg"]}}}, "/uploads/default/extensions/0"),
    ({"uploads": {"default": {"extensions": ["jpg"] * 10_000}}}, "/uploads/default/extensions"),
    ({"uploads": {"by_entity_type": {"logo": {"formatz": []}}}}, "/uploads/by_entity_type/logo/formatz"),
    ({"uploads": {"by_entity_type": {f"t{number}": {} for number in range(101)}}}, "/uploads/by_entity_type"),
    ({"retention": {"trash_days": 0}}, "/retention/trash_days"),
    ({"retention": {"trash_days": 36_501}}, "/retention/trash_days"),
    ({"eager_presets": ["nowhere"]}, "/eager_presets/0"),
    ({"eager_presets": ["card", "\0"]}, "/eager_presets/1"),
    ({"eager_presets": ["card"] * 10_000}, "/eager_presets"),
    ({"cors_origins": ["*"]}, "/cors_origins/0"),
    ({"cors_origins": ["https://a.example", "https://a.example/"]}, "/cors_origins/1"),
    ({"cors_origins": [f"https://a{number}.example" for number in range(33)]}, "/cors_origins"),
]
"""Documents that are refused, and where."""


async def upload(client: httpx.AsyncClient, body: bytes, name: str = "a.jpg", **form: str) -> httpx.Response:
    return await client.post(UPLOAD, files={"file": (name, body, "")}, data=form)


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with all defaults, as it is answered."""
    answered: dict[str, Any] = SettingsDocument.model_validate(document).model_dump(mode="json")
    return answered


def test_the_document_has_everything_that_there_is_to_decide() -> None:
    delivery = {"limits", "rendering", "hints", "reference_ttl_s", "rules"}
    assert {own.name for own in fields(OwnSettings)} == delivery
    pairs: list[tuple[type[SettingsDocument] | Any, Any, set[str]]] = [
        (SettingsDocument, TenantRules, delivery - {"rules"}),
        (LimitsDocument, Limits, set()),
        (RetentionDocument, Retention, set()),
        (UploadRulesDocument, UploadRules, set()),
        (UploadsDocument, TenantUploadRules, set()),
    ]
    for document, rules, more in pairs:
        assert set(document.model_fields) == {rule.name for rule in fields(rules)} | more
    assert len(RenderingDocument.model_fields) == len(fields(RenderingOptions))
    assert SettingsDocument.model_validate({}) == document_of(OwnSettings())
    assert SettingsDocument.model_validate({}).to_settings() == OwnSettings()


async def test_all_settings_are_replaced_and_obeyed(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    fresh = await admin.get(SETTINGS)
    assert (fresh.json(), fresh.headers["etag"]) == (completed({}), '"acme-0"')
    put = await admin.put(SETTINGS, json=ALL, headers={"if-match": '"acme-0"'})
    assert (put.status_code, put.json(), put.headers["etag"]) == (200, completed(ALL), '"acme-1"')
    read = await admin.get(SETTINGS)
    assert (read.json(), read.headers["etag"]) == (put.json(), put.headers["etag"])
    tenant = await SqlTenantRepository(database, Limits(source_side=5)).find(ACME)
    assert tenant is not None
    assert (tenant.limits.output_side, tenant.limits.source_side) == (2_048, 5)
    assert tenant.rendering == RenderingOptions(linear_light=True, wide_gamut=True)
    assert (tenant.hints, tenant.reference_ttl_s) == (True, 60)
    rules = await rules_of_tenant(database, ACME)
    assert (rules.retention, rules.keep_location) == (Retention(7, 90, None, 1), True)
    assert (rules.eager_presets, rules.scan, rules.optimize) == (("card", "preview"), True, False)
    back = await admin.put(SETTINGS, json={})
    assert (back.json(), back.headers["etag"]) == (fresh.json(), '"acme-2"')
    assert (await admin.put(SETTINGS, json=read.json())).json() == read.json()


async def test_a_change_is_one_event_of_what_differs_and_no_change_is_none(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    await admin.put(SETTINGS, json={"hints": True})
    same = await admin.put(SETTINGS, json={"hints": True})
    assert same.headers["etag"] == '"acme-1"'
    await admin.put(SETTINGS, json={"hints": True, "retention": {"trash_days": 7}})
    events = (await admin.get("/api/audit?subject=settings/acme")).json()["items"]
    month = {"trash_days": 30, "versions_days": None, "audit_days": 365, "jobs_days": 30}
    assert [(event["action"], event["before"], event["after"]) for event in events] == [
        ("settings.updated", {"retention": month}, {"retention": {**month, "trash_days": 7}}),
        ("settings.updated", {"hints": False}, {"hints": True}),
    ]


async def test_of_changes_at_once_with_one_etag_one_wins(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    tag = {"if-match": (await admin.get(SETTINGS)).headers["etag"]}
    answers = await asyncio.gather(
        *(admin.put(SETTINGS, json={"reference_ttl_s": 10 + number}, headers=tag) for number in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    [winner] = [answer for answer in answers if answer.status_code == 200]
    assert (await admin.get(SETTINGS)).json() == winner.json()


async def test_bad_documents_are_refused_and_write_nothing(client_of: ClientOf, database: Database) -> None:
    admin = await client_of(Role.ADMIN)
    for document, at in BAD:
        answer = await admin.put(SETTINGS, json=document)
        assert_problem(answer, 422, "validation")
        assert answer.json()["errors"][0]["at"] == at, answer.text
    assert (await admin.get(SETTINGS)).headers["etag"] == '"acme-0"'
    async with database.reading() as session:
        assert list(await session.scalars(select(TenantSettings))) == []


async def test_what_an_older_or_newer_version_wrote_is_read(client_of: ClientOf, database: Database) -> None:
    document = {"uploads": {"default": {"max_bytes": "many", "shape": 1}}, "cors_origins": 5, "new": [1], "scan": True}
    async with database.writing() as session:
        session.add(TenantSettings(tenant=ACME, document=document))
    answer = await (await client_of(Role.ADMIN)).get(SETTINGS)
    assert (answer.status_code, answer.json()["scan"], answer.json()["cors_origins"]) == (200, True, [])
    assert answer.json()["uploads"] == completed({})["uploads"]


async def test_uploads_obey_the_rules_of_their_entity_type(client_of: ClientOf) -> None:
    admin, contributor = await client_of(Role.ADMIN), await client_of(Role.CONTRIBUTOR)
    jpeg, png = picture(20), picture(20, suffix=".png")
    default = {"max_bytes": len(png) + 100_000, "formats": ["jpeg", "png"]}
    logo = {"max_bytes": len(png) + 10, "formats": ["png"], "reject_trailing_data": True, "max_pixels": 1_200}
    document = {"uploads": {"default": default, "by_entity_type": {"logo": logo}}}
    assert (await admin.put(SETTINGS, json=document)).status_code == 200
    entity = {"entity_type": "logo", "entity_id": "1"}
    refused = await upload(contributor, jpeg, **entity)
    assert_problem(refused, 415, "upload-refused")
    assert refused.json()["reason"] == "extension"
    assert (await upload(contributor, jpeg)).status_code == 201
    assert (await upload(contributor, jpeg, entity_type="product", entity_id="1")).status_code == 200
    large, many = png + FRAGMENT, picture(20, width=41, suffix=".png")
    assert_problem(await upload(contributor, large, "a.png", **entity), 413, "too-large")
    assert (await upload(contributor, png, "a.png", **entity)).status_code == 201
    assert_problem(await upload(contributor, many, "b.png", **entity), 422, "over-limit")
    await admin.put(SETTINGS, json={"uploads": {"default": {"max_bytes": len(png) - 1}}})
    assert_problem(await upload(contributor, png, "c.png"), 413, "too-large")


async def test_limits_and_places_follow_the_settings(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    await admin.put(SETTINGS, json={"limits": {"source_pixels": 100}})
    assert_problem(await upload(admin, picture(30)), 422, "over-limit")
    await admin.put(SETTINGS, json={"keep_location": True})
    assert (await upload(admin, located())).json()["location"]["latitude"] > 48


async def test_other_rendering_queues_a_purge_of_the_derivatives(
    client_of: ClientOf, database: Database, platform: Platform
) -> None:
    admin = await client_of(Role.ADMIN)
    await admin.put(SETTINGS, json={"hints": True})
    assert (await admin.get("/api/jobs")).json()["items"] == []
    await admin.put(SETTINGS, json={"rendering": {"linear": True}})
    [shown] = (await admin.get("/api/jobs")).json()["items"]
    assert (shown["kind"], shown["parameters"]) == (PURGE, {"tenant": "acme"})
    async with database.reading() as session:
        [job] = await session.scalars(select(Job))
    ttl_s = platform.settings.tenant_ttl_s
    assert (job.priority, (job.run_at - job.created_at).total_seconds() >= ttl_s) == (Priority.MAINTENANCE, True)


async def test_a_purge_deletes_what_was_rendered(client_of: ClientOf, platform: Platform) -> None:
    admin = await client_of(Role.ADMIN)
    image = (await upload(admin, picture(60))).json()
    derivative = await platform.renderer.render(read_path(f"/t/acme/{image['original']}/w10-png"))
    key = derivative_key(f"old/acme/0/aa/{'a' * 64}/{'b' * 64}")
    await platform.derivatives.put(key, derivative)
    handler = handlers_of(platform).find(PURGE)
    assert handler is not None
    job: Any = SimpleNamespace(parameters={"tenant": "zoo"})
    assert await handler.handle(job) == {"deleted": 0}
    assert await platform.derivatives.get(key) is not None
    job = SimpleNamespace(parameters={"tenant": "acme"})
    assert (await handler.handle(job))["deleted"] >= 1
    assert await platform.derivatives.get(key) is None


async def test_settings_are_the_tenants_own(client_of: ClientOf) -> None:
    acme, zoo, operator = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO), await client_of(Role.OPERATOR)
    await acme.put(SETTINGS, json={"hints": True})
    assert (await zoo.get(SETTINGS)).json() == completed({})
    assert (await operator.put(f"{SETTINGS}?tenant=zoo", json={"scan": True})).status_code == 200
    assert (await zoo.get(SETTINGS)).json() == completed({"scan": True})
    assert (await acme.get(SETTINGS)).json() == completed({"hints": True})
    for client in (await client_of(Role.EDITOR), await client_of(Role.ADMIN, ACME, Scope.WRITE)):
        for answer in (await client.get(SETTINGS), await client.put(SETTINGS, json={})):
            assert_problem(answer, 403, "not-permitted")
