"""Presets: recipes that have a name. Every change is a version of its own, and so is being deleted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.core.errors import PresetConflict, PresetNotFound
from catalog.records.database import Database
from catalog.records.tables import Preset as PresetRecord
from catalog.records.tables import Watermark, now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.errors import RecipeError
from proxy.core.identifiers import TenantName
from proxy.core.recipe import grammar
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
"""What a new tenant starts with: sizes people expect. `small` to `large` keep the whole picture, the others fill."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Preset:
    """One version of a preset; no recipe means that it was deleted."""

    name: str
    version: int
    recipe: str | None
    unsigned: bool
    created_at: datetime


def add_defaults(session: AsyncSession, tenant: TenantName) -> None:
    """Give a new tenant its first presets, within the caller's transaction."""
    for name, recipe in DEFAULTS.items():
        session.add(PresetRecord(tenant=tenant, name=name, version=1, recipe=recipe))


async def put_preset(
    database: Database, tenant: TenantName, name: str, recipe: str, *, unsigned: bool = False
) -> Preset:
    """Create or change a preset: a new version, which counts from now on.

    Refuses with TenantNotFound, RecipeError (a recipe that does not parse, or another spelling), PresetConflict.
    """
    if not _NAME.fullmatch(name):
        raise PresetConflict("A preset's name is 1 to 32 of a-z, 0-9 and _, the first a letter.")
    parsed = grammar.parse(recipe)
    if parsed.preset is not None:
        raise PresetConflict("A preset does not stand on another: write out what it says.")
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        newest = {one.name: one for one in await newest_presets(session, tenant)}
        others = sum(one.recipe is not None for one in newest.values() if one.name != name)
        if others >= MOST_PRESETS:
            raise PresetConflict(f"Tenant {tenant} has {MOST_PRESETS} presets: delete one first.")
        if parsed.watermark and await session.get(Watermark, (tenant, parsed.watermark.content)) is None:
            raise PresetConflict(f"Tenant {tenant} has no watermark {parsed.watermark.content}: put it first.")
        return await _add(session, tenant, name, newest.get(name), recipe, unsigned=unsigned)


async def list_presets(database: Database, tenant: TenantName) -> list[Preset]:
    """List the presets that count, by name; TenantNotFound."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        found = await newest_presets(session, tenant)
    return [_preset(one) for one in found if one.recipe is not None]


async def list_versions(database: Database, tenant: TenantName, name: str) -> list[Preset]:
    """List all versions of a preset, the newest first; TenantNotFound, PresetNotFound where there never was one."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        query = select(PresetRecord).where(PresetRecord.tenant == tenant, PresetRecord.name == name)
        found = list(await session.scalars(query.order_by(col(PresetRecord.version).desc())))
    if not found:
        raise _missing(tenant, name)
    return [_preset(one) for one in found]


async def delete_preset(database: Database, tenant: TenantName, name: str) -> None:
    """Delete a preset, which stays in its history; TenantNotFound, PresetNotFound."""
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        newest = next((one for one in await newest_presets(session, tenant) if one.name == name), None)
        if newest is None or newest.recipe is None:
            raise _missing(tenant, name)
        await _add(session, tenant, name, newest, None, unsigned=False)


async def newest_presets(session: AsyncSession, tenant: TenantName) -> Sequence[PresetRecord]:
    """Give the newest version of each preset, by name, deleted ones included."""
    newest = (
        select(PresetRecord.name, func.max(PresetRecord.version).label("version"))
        .where(PresetRecord.tenant == tenant)
        .group_by(col(PresetRecord.name))
        .subquery()
    )
    query = (
        select(PresetRecord)
        .join(newest, (newest.c.name == PresetRecord.name) & (newest.c.version == PresetRecord.version))
        .where(PresetRecord.tenant == tenant)
        .order_by(col(PresetRecord.name))
    )
    return list(await session.scalars(query))


@lru_cache(maxsize=4_096)
def read_recipe(text: str) -> Recipe | None:
    """Parse a preset's recipe; None, and a line in the log, where a newer version no longer understands it."""
    try:
        return grammar.parse(text)
    except RecipeError as fault:
        log.warning("a preset is no longer understood and left out", recipe=text, cause=str(fault))
        return None


async def _add(  # noqa: PLR0913 - a row's columns
    session: AsyncSession,
    tenant: TenantName,
    name: str,
    before: PresetRecord | None,
    recipe: str | None,
    *,
    unsigned: bool,
) -> Preset:
    version = 1 if before is None else before.version + 1
    row = PresetRecord(tenant=tenant, name=name, version=version, recipe=recipe, unsigned=unsigned, created_at=now())
    session.add(row)
    await session.flush()
    return _preset(row)


def _preset(row: PresetRecord) -> Preset:
    return Preset(row.name, row.version, row.recipe, row.unsigned, row.created_at)


def _missing(tenant: TenantName, name: str) -> PresetNotFound:
    return PresetNotFound(f"Tenant {tenant} has no preset {name}: see darkroom preset list {tenant}.")
