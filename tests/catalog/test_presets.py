"""Presets, watermarks and rules of a tenant, on both databases."""

import asyncio

import pytest
from sqlalchemy import update
from sqlmodel import col

from catalog.core.errors import (
    PresetConflict,
    PresetNotFound,
    RulesConflict,
    TenantNotFound,
    WatermarkConflict,
    WatermarkNotFound,
)
from catalog.presets import service as presets
from catalog.presets.service import DEFAULTS, MOST_PRESETS
from catalog.records.database import Database
from catalog.records.tables import Preset as PresetRecord
from catalog.tenants.rules import limits_of_tenant
from catalog.tenants.tenant_repository import SqlTenantRepository
from catalog.uploads.service import Uploaded
from catalog.watermarks import service as watermarks
from proxy.core.errors import RecipeError
from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import HARD_CAPS, Limits
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe import grammar
from proxy.core.recipe.presets import NO_LADDER, parse_ladder
from proxy.core.tenant import Tenant
from tests.catalog.services import (
    change_rules,
    create_tenant,
    delete_preset,
    delete_watermark,
    find_tenant,
    list_presets,
    list_versions,
    list_watermarks,
    put_preset,
    put_watermark,
)

ACME, OTHER = TenantName("acme"), TenantName("other")
LOGO = Uploaded(Digest("a" * 64), 900, "image/png", 200, 100)


@pytest.fixture
async def acme(database: Database) -> Database:
    """Return the database with two tenants."""
    await create_tenant(database, ACME)
    await create_tenant(database, OTHER)
    return database


async def known(database: Database) -> Tenant:
    """Return the tenant as delivery uses it."""
    tenant = await SqlTenantRepository(database).find(ACME)
    assert tenant is not None
    return tenant


async def test_a_new_tenant_has_the_presets_people_expect(acme: Database) -> None:
    recipes = {preset.name: preset.recipe for preset in await list_presets(acme, ACME)}
    assert recipes == DEFAULTS
    assert (await known(acme)).presets["card"] == grammar.parse("w400-h300-q85-auto")
    assert (await known(acme)).unsigned == {}


@pytest.mark.parametrize("recipe", DEFAULTS.values())
def test_default_presets_are_spelled_right(recipe: str) -> None:
    assert str(grammar.parse(recipe)) == recipe


async def test_a_change_is_a_new_version_and_the_newest_counts(acme: Database) -> None:
    await put_preset(acme, ACME, "card", "w500-auto")
    changed = await put_preset(acme, ACME, "card", "w600-auto", unsigned=True)
    assert changed.version == 3
    assert (await known(acme)).presets["card"] == grammar.parse("w600-auto")
    assert (await known(acme)).unsigned == {"card": NO_LADDER}
    versions = [(preset.version, preset.recipe, preset.unsigned) for preset in await list_versions(acme, ACME, "card")]
    assert versions == [(3, "w600-auto", True), (2, "w500-auto", False), (1, "w400-h300-q85-auto", False)]
    assert {preset.recipe for preset in await list_presets(acme, OTHER) if preset.name == "card"} == {
        "w400-h300-q85-auto"
    }


async def test_a_deleted_preset_stays_in_its_history_and_may_come_back(acme: Database) -> None:
    await delete_preset(acme, ACME, "card")
    assert "card" not in (await known(acme)).presets
    assert "card" not in {preset.name for preset in await list_presets(acme, ACME)}
    with pytest.raises(PresetNotFound):
        await delete_preset(acme, ACME, "card")
    assert (await put_preset(acme, ACME, "card", "w1-auto")).version == 3


@pytest.mark.parametrize(
    ("name", "recipe", "refusal"),
    [
        ("Card", "w400", PresetConflict),
        ("a" * 33, "w400", PresetConflict),
        ("9a", "w400", PresetConflict),
        ("card", "w0400", RecipeError),
        ("card", "w400-h300-cover", RecipeError),
        ("card", "blink", RecipeError),
        ("card", "gn", RecipeError),
        ("card", "~icon-w40", PresetConflict),
        ("card", "w400-wm_logo", PresetConflict),
    ],
)
async def test_a_preset_that_cannot_be_is_refused(
    acme: Database, name: str, recipe: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await put_preset(acme, ACME, name, recipe)
    assert (await known(acme)).presets["card"] == grammar.parse("w400-h300-q85-auto")


async def test_an_unsigned_preset_has_a_ladder_of_sizes(acme: Database) -> None:
    ladder = parse_ladder(["640", "320"], ["2", "1.5"])
    stored = await put_preset(acme, ACME, "card", "w400-auto", unsigned=True, ladder=ladder)
    assert stored.ladder == ladder
    assert (await known(acme)).unsigned == {"card": ladder}
    assert [preset.ladder for preset in await list_versions(acme, ACME, "card")] == [ladder, NO_LADDER]
    await put_preset(acme, ACME, "card", "w400-auto", unsigned=True)
    assert (await known(acme)).unsigned == {"card": NO_LADDER}


async def test_a_ladder_is_for_unsigned_presets_that_take_its_sizes(acme: Database) -> None:
    with pytest.raises(PresetConflict, match="unsigned"):
        await put_preset(acme, ACME, "card", "w400-auto", ladder=parse_ladder(["640"], []))
    for recipe, ladder in (("json", parse_ladder(["640"], [])), ("q85-auto", parse_ladder([], ["2"]))):
        with pytest.raises(RecipeError):
            await put_preset(acme, ACME, "hero", recipe, unsigned=True, ladder=ladder)
    assert (await known(acme)).unsigned == {}
    await put_preset(acme, ACME, "hero", "q85-auto", unsigned=True, ladder=parse_ladder(["640"], ["2"]))


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"widths": [0], "dprs": []}', '{"widths": [640]}'])
async def test_a_ladder_this_version_cannot_read_is_ignored(acme: Database, text: str) -> None:
    await put_preset(acme, ACME, "card", "w400-auto", unsigned=True, ladder=parse_ladder(["640"], []))
    async with acme.writing() as session:
        await session.execute(update(PresetRecord).where(col(PresetRecord.unsigned)).values(ladder=text))
    assert (await known(acme)).unsigned == {"card": NO_LADDER}


async def test_presets_are_bounded(acme: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_PRESETS >= 100
    monkeypatch.setattr(presets, "MOST_PRESETS", len(DEFAULTS))
    with pytest.raises(PresetConflict, match="delete one"):
        await put_preset(acme, ACME, "another", "w1-auto")
    await put_preset(acme, ACME, "card", "w1-auto")


async def test_changes_at_once_all_become_versions(acme: Database) -> None:
    await asyncio.gather(*(put_preset(acme, ACME, "card", f"w{width}-auto") for width in range(100, 106)))
    assert [preset.version for preset in await list_versions(acme, ACME, "card")] == [7, 6, 5, 4, 3, 2, 1]


async def test_whose_tenant_is_missing_is_told(acme: Database) -> None:
    nobody = TenantName("nobody")
    for attempt in (
        put_preset(acme, nobody, "card", "w1-auto"),
        list_presets(acme, nobody),
        list_versions(acme, nobody, "card"),
        put_watermark(acme, nobody, "logo", LOGO),
        list_watermarks(acme, nobody),
        change_rules(acme, nobody, linear=True),
        limits_of_tenant(acme, nobody, Limits()),
    ):
        with pytest.raises(TenantNotFound):
            await attempt
    with pytest.raises(PresetNotFound):
        await list_versions(acme, ACME, "nothing")


async def test_a_watermark_is_known_and_may_change_its_picture(acme: Database) -> None:
    await put_watermark(acme, ACME, "logo", LOGO)
    await put_preset(acme, ACME, "stamped", "w400-wm_logo-auto")
    mark = (await known(acme)).watermarks["logo"]
    assert (mark.original, mark.size) == ("a" * 64, Size(200, 100))
    await put_watermark(acme, ACME, "logo", Uploaded(Digest("b" * 64), 9, "image/png", 10, 20))
    mark = (await known(acme)).watermarks["logo"]
    assert (mark.original, mark.size) == ("b" * 64, Size(10, 20))
    assert [mark.name for mark in await list_watermarks(acme, ACME)] == ["logo"]
    assert await list_watermarks(acme, OTHER) == []


async def test_a_watermark_that_a_preset_names_stays(acme: Database) -> None:
    await put_watermark(acme, ACME, "logo", LOGO)
    await put_preset(acme, ACME, "stamped", "w400-wm_logo-auto")
    with pytest.raises(WatermarkConflict, match="stamped"):
        await delete_watermark(acme, ACME, "logo")
    await delete_preset(acme, ACME, "stamped")
    await delete_watermark(acme, ACME, "logo")
    assert (await known(acme)).watermarks == {}
    with pytest.raises(WatermarkNotFound, match="has no watermark"):
        await delete_watermark(acme, ACME, "logo")


async def test_watermarks_are_bounded(acme: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WatermarkConflict, match="a-z"):
        await put_watermark(acme, ACME, "my_logo", LOGO)
    with pytest.raises(WatermarkConflict, match="pixels"):
        await put_watermark(acme, ACME, "logo", Uploaded(Digest("a" * 64), 9, "image/png", 4_000, 1_001))
    monkeypatch.setattr(watermarks, "MOST_WATERMARKS", 1)
    await put_watermark(acme, ACME, "logo", LOGO)
    await put_watermark(acme, ACME, "logo", LOGO)
    with pytest.raises(WatermarkConflict, match="delete one"):
        await put_watermark(acme, ACME, "second", LOGO)


async def test_rules_and_limits_are_a_tenant_s_own(acme: Database) -> None:
    await change_rules(acme, ACME, linear=True, hints=True, limits={"output_side": 2_048, "source_bytes": 1_000})
    await change_rules(acme, ACME, crisp=True, hints=False, limits={"source_bytes": None})
    tenant = await known(acme)
    assert tenant.rendering == RenderingOptions(linear_light=True, sharpen_downscaled=True)
    assert tenant.hints is False
    assert tenant.limits == Limits(output_side=2_048)
    assert await limits_of_tenant(acme, ACME, Limits(source_pixels=9)) == Limits(source_pixels=9, output_side=2_048)
    assert await limits_of_tenant(acme, OTHER, Limits()) == Limits()
    summary = await find_tenant(acme, ACME)
    assert (summary.linear, summary.crisp, summary.hints, summary.limits) == (True, True, False, {"output_side": 2_048})


@pytest.mark.parametrize(
    "limits", [{"height": 5}, {"output_side": 0}, {"output_side": HARD_CAPS.output_side + 1}, {"__class__": 1}]
)
async def test_a_limit_beyond_the_hard_caps_is_refused(acme: Database, limits: dict[str, int]) -> None:
    with pytest.raises(RulesConflict):
        await change_rules(acme, ACME, limits=limits)
    assert (await known(acme)).limits == Limits()
