"""Watermarks: pictures of the tenant's that have a name, to be laid over others."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from catalog.core.errors import WatermarkConflict
from catalog.presets.service import newest_presets, read_recipe
from catalog.records.database import Database
from catalog.records.tables import Watermark as WatermarkRecord
from catalog.records.tables import now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from catalog.uploads.service import Uploaded
from proxy.core.identifiers import Digest, TenantName

MOST_WATERMARKS = 50
LARGEST_PIXELS = 4_000_000
"""It is decoded for every picture it is laid over."""

_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")


@dataclass(frozen=True, slots=True)
class Watermark:
    """A watermark: one of the tenant's originals, its sides upright, in pixels."""

    name: str
    original: Digest
    width: int
    height: int
    created_at: datetime


def check_name(name: str) -> None:
    """Refuse what is no name with WatermarkConflict."""
    if not _NAME.fullmatch(name):
        raise WatermarkConflict("A watermark's name is 1 to 32 of a-z and 0-9, the first a letter.")


async def put_watermark(database: Database, tenant: TenantName, name: str, picture: Uploaded) -> Watermark:
    """Give one of the tenant's originals a name, or the name another picture; TenantNotFound, WatermarkConflict."""
    check_name(name)
    if picture.width * picture.height > LARGEST_PIXELS:
        raise WatermarkConflict(f"A watermark has at most {LARGEST_PIXELS} pixels: make it smaller.")
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(WatermarkRecord, (tenant, name))
        if row is None:
            count = select(func.count()).where(WatermarkRecord.tenant == tenant)
            if (await session.scalars(count)).one() >= MOST_WATERMARKS:
                raise WatermarkConflict(f"Tenant {tenant} has {MOST_WATERMARKS} watermarks: delete one first.")
            row = WatermarkRecord(tenant=tenant, name=name, original=picture.original, width=1, height=1)
        row.original, row.width, row.height = picture.original, picture.width, picture.height
        row.created_at = now()
        session.add(row)
        return _watermark(row)


async def list_watermarks(database: Database, tenant: TenantName) -> list[Watermark]:
    """List a tenant's watermarks by name; TenantNotFound."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        query = select(WatermarkRecord).where(WatermarkRecord.tenant == tenant).order_by(col(WatermarkRecord.name))
        return [_watermark(one) for one in await session.scalars(query)]


async def delete_watermark(database: Database, tenant: TenantName, name: str) -> None:
    """Delete a watermark; TenantNotFound, WatermarkConflict where there is none or a preset names it."""
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(WatermarkRecord, (tenant, name))
        if row is None:
            raise WatermarkConflict(f"Tenant {tenant} has no such watermark: see darkroom watermark list {tenant}.")
        for preset in await newest_presets(session, tenant):
            recipe = read_recipe(preset.recipe) if preset.recipe else None
            if recipe and recipe.watermark and recipe.watermark.content == name:
                raise WatermarkConflict(f"Preset {preset.name} lays it over pictures: change that first.")
        await session.delete(row)


def _watermark(row: WatermarkRecord) -> Watermark:
    return Watermark(row.name, Digest(row.original), row.width, row.height, row.created_at)
