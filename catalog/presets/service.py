"""Presets: named recipes. Every change, a deletion included, is a new version."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.audit.service import record
from catalog.core.errors import PresetConflict, PresetNotFound
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.core.tenant_rules import read_rules
from catalog.presets.ladder import read_ladder, write_ladder
from catalog.records import tables
from catalog.records.tables import now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.errors import RecipeError
from proxy.core.identifiers import TenantName
from proxy.core.recipe import grammar
from proxy.core.recipe.presets import NO_LADDER, Ladder
from proxy.core.recipe.recipe import Recipe

log = structlog.get_logger("darkroom.presets")

MOST_PRESETS = 200
DEFAULTS = {
    "icon": "w32-h32-q85-auto",
    "small": "w150-h150-inside-q85-auto",
    "medium": "w300-h300-inside-q85-auto",
    "large": "w600-h600-inside-q85-auto",
    "card": "w400-h300-q85-auto",
    "gallery": "w800-h600-q85-auto",
    "thumbnail": "w320-h180-q85-auto",
    "preview": "w640-h360-q85-auto",
    "overlay": "w1280-h720-q85-auto",
    "full": "q85-auto",
}
"""Presets of a new tenant. `small`, `medium` and `large` keep the whole image, the others with two sides crop it."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Preset:
    """One version of a preset."""

    name: str
    version: int
    recipe: str | None
    """None if this version deleted the preset."""
    unsigned: bool
    ladder: Ladder
    """Sizes that an unsigned preset is served at, beside its own."""
    created_at: datetime


def add_defaults(session: AsyncSession, tenant: TenantName) -> None:
    """Add the default presets of a new tenant within the caller's transaction."""
    for name, recipe in DEFAULTS.items():
        session.add(tables.Preset(tenant=tenant, name=name, version=1, recipe=recipe))


async def create_preset(  # noqa: PLR0913 - the columns of a row
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    name: str,
    recipe: str,
    *,
    unsigned: bool = False,
    ladder: Ladder = NO_LADDER,
) -> Preset:
    """Create a preset. Raise PresetConflict if there is one of that name, and what `put_preset` raises."""
    await lock_tenant(session, principal.tenant)
    if (await _newest(session, principal.tenant)).get(name) is not None:
        raise PresetConflict(
            f"Tenant {principal.tenant} has a preset {name} already: change it, or choose another name."
        )
    return await put_preset(session, principal, origin, name, recipe, unsigned=unsigned, ladder=ladder)


async def put_preset(  # noqa: PLR0913 - the columns of a row
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    name: str,
    recipe: str,
    *,
    unsigned: bool = False,
    ladder: Ladder = NO_LADDER,
) -> Preset:
    """Create or change a preset: add a version, which is in effect from now on. Values that it has change nothing.

    Raise TenantNotFound, RecipeError (an invalid recipe, or one in another spelling), or PresetConflict.
    """
    if not _NAME.fullmatch(name):
        raise PresetConflict("The name of a preset has 1 to 32 characters a-z, 0-9 and _ and begins with a letter.")
    parsed = grammar.parse(recipe)
    if parsed.preset is not None:
        raise PresetConflict("A preset cannot refer to another: specify its options instead.")
    _check_ladder(name, parsed, ladder, unsigned=unsigned)
    tenant = principal.tenant
    await lock_tenant(session, tenant)
    newest = {row.name: row for row in await newest_presets(session, tenant)}
    others = sum(row.recipe is not None for row in newest.values() if row.name != name)
    if others >= MOST_PRESETS:
        raise PresetConflict(f"Tenant {tenant} has {MOST_PRESETS} presets: delete one first.")
    if parsed.watermark and await session.get(tables.Watermark, (tenant, parsed.watermark.content)) is None:
        raise PresetConflict(f"Tenant {tenant} has no watermark {parsed.watermark.content}: create it first.")
    before = newest.get(name)
    row = _next_version(tenant, name, before)
    row.recipe, row.unsigned, row.ladder = recipe, unsigned, write_ladder(ladder)
    if before is not None and _audited(before) == _audited(row):
        return _preset(before)
    session.add(row)
    await session.flush()
    replaced = before is not None and before.recipe is not None
    await record(
        session,
        principal,
        origin,
        "preset.updated" if replaced else "preset.created",
        ("preset", name),
        before=_audited(before) if before is not None and replaced else None,
        after=_audited(row),
    )
    return _preset(row)


async def list_presets(session: AsyncSession, tenant: TenantName) -> list[Preset]:
    """Return the presets in effect, at most MOST_PRESETS, sorted by name. Raise TenantNotFound."""
    await get_tenant(session, tenant)
    return list((await _newest(session, tenant)).values())


async def find_preset(session: AsyncSession, tenant: TenantName, name: str) -> Preset:
    """Return a preset in effect. Raise PresetNotFound if there is none."""
    preset = (await _newest(session, tenant)).get(name)
    if preset is None:
        raise _preset_not_found(tenant, name)
    return preset


async def list_versions(
    session: AsyncSession, tenant: TenantName, name: str, limit: int | None = None, before: int | None = None
) -> list[Preset]:
    """Return versions of a preset, the newest first: at most `limit`, and only those older than version `before`.

    Raise TenantNotFound, or PresetNotFound if there is no version at all.
    """
    await get_tenant(session, tenant)
    query = select(tables.Preset).where(tables.Preset.tenant == tenant, tables.Preset.name == name)
    if before is not None:
        query = query.where(tables.Preset.version < before)
    rows = list(await session.scalars(query.order_by(col(tables.Preset.version).desc()).limit(limit)))
    if not rows and before is None:
        raise _preset_not_found(tenant, name)
    return [_preset(row) for row in rows]


async def delete_preset(session: AsyncSession, principal: Principal, origin: Origin, name: str) -> None:
    """Delete a preset; its versions stay in the history.

    Raise TenantNotFound, PresetNotFound, or PresetConflict if the settings have it rendered after each upload.
    """
    tenant = principal.tenant
    await lock_tenant(session, tenant)
    newest = next((row for row in await newest_presets(session, tenant) if row.name == name), None)
    if newest is None or newest.recipe is None:
        raise _preset_not_found(tenant, name)
    settings = await session.get(tables.TenantSettings, tenant)
    if settings is not None and name in read_rules(settings.document).eager_presets:
        raise PresetConflict(f"The settings list preset {name} in eager_presets: remove it there first.")
    session.add(_next_version(tenant, name, newest))
    await record(session, principal, origin, "preset.deleted", ("preset", name), before=_audited(newest))


async def newest_presets(session: AsyncSession, tenant: TenantName) -> Sequence[tables.Preset]:
    """Return the newest version of each preset, sorted by name, deleted ones included."""
    newest = (
        select(tables.Preset.name, func.max(tables.Preset.version).label("version"))
        .where(tables.Preset.tenant == tenant)
        .group_by(col(tables.Preset.name))
        .subquery()
    )
    query = (
        select(tables.Preset)
        .join(newest, (newest.c.name == tables.Preset.name) & (newest.c.version == tables.Preset.version))
        .where(tables.Preset.tenant == tenant)
        .order_by(col(tables.Preset.name))
    )
    return list(await session.scalars(query))


async def _newest(session: AsyncSession, tenant: TenantName) -> dict[str, Preset]:
    """Return the presets in effect by name, in the order of their names."""
    return {row.name: _preset(row) for row in await newest_presets(session, tenant) if row.recipe is not None}


@lru_cache(maxsize=4_096)
def read_recipe(text: str) -> Recipe | None:
    """Parse the recipe of a preset; return None, and log it, if this version does not accept it any more."""
    try:
        return grammar.parse(text)
    except RecipeError as error:
        log.warning("the recipe of a preset is no longer valid; it is ignored", recipe=text, cause=str(error))
        return None


def _check_ladder(name: str, recipe: Recipe, ladder: Ladder, *, unsigned: bool) -> None:
    """Raise PresetConflict for a ladder of a signed preset, RecipeError for a size the preset cannot be served at."""
    if ladder != NO_LADDER and not unsigned:
        raise PresetConflict("Only an unsigned preset has widths and ratios: add --unsigned, or leave them out.")
    widths = [f"-w{width}" for width in ladder.widths]
    dprs = [f"-dpr{dpr}" for dpr in ladder.dpr_texts]
    # a ratio needs a width, which is the preset's own or one of the ladder
    for size in (*widths, *(f"{widths[0] if widths else ''}{dpr}" for dpr in dprs)):
        grammar.expand(grammar.parse(f"~{name}{size}"), {name: recipe})


def _next_version(tenant: TenantName, name: str, newest: tables.Preset | None) -> tables.Preset:
    """Return the row of the next version, which deletes the preset unless a recipe is set."""
    version = 1 if newest is None else newest.version + 1
    return tables.Preset(tenant=tenant, name=name, version=version, created_at=now())


def _audited(row: tables.Preset) -> dict[str, object]:
    ladder = read_ladder(row.ladder)
    widths, dprs = list(ladder.widths), ladder.dpr_texts
    return {"recipe": row.recipe, "unsigned": row.unsigned, "widths": widths, "dprs": dprs}


def _preset(row: tables.Preset) -> Preset:
    return Preset(row.name, row.version, row.recipe, row.unsigned, read_ladder(row.ladder), row.created_at)


def _preset_not_found(tenant: TenantName, name: str) -> PresetNotFound:
    return PresetNotFound(f"Tenant {tenant} has no preset {name}: list its presets.")
