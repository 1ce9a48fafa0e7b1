"""Watermarks: named originals of a tenant that recipes overlay on other images."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, func, select

from catalog.core.errors import WatermarkConflict
from catalog.presets.service import newest_presets, read_recipe
from catalog.records import tables
from catalog.records.database import Database
from catalog.records.tables import now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from catalog.uploads.service import Uploaded
from proxy.core.identifiers import Digest, TenantName

MOST_WATERMARKS = 50
LARGEST_PIXELS = 4_000_000
"""A watermark is decoded for every image it is overlaid on."""

_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")


@dataclass(frozen=True, slots=True)
class Watermark:
    """A watermark: the original it shows, and its upright sides in pixels."""

    name: str
    original: Digest
    width: int
    height: int
    created_at: datetime


def check_name(name: str) -> None:
    """Raise WatermarkConflict for an invalid name."""
    if not _NAME.fullmatch(name):
        raise WatermarkConflict("The name of a watermark has 1 to 32 characters a-z and 0-9 and begins with a letter.")


async def put_watermark(database: Database, tenant: TenantName, name: str, upload: Uploaded) -> Watermark:
    """Create a watermark of an uploaded original, or replace its original. Raise TenantNotFound, WatermarkConflict."""
    check_name(name)
    if upload.width * upload.height > LARGEST_PIXELS:
        raise WatermarkConflict(f"A watermark has no more than {LARGEST_PIXELS} pixels: make the image smaller.")
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(tables.Watermark, (tenant, name))
        if row is None:
            count = select(func.count()).where(tables.Watermark.tenant == tenant)
            if (await session.scalars(count)).one() >= MOST_WATERMARKS:
                raise WatermarkConflict(f"Tenant {tenant} has {MOST_WATERMARKS} watermarks: delete one first.")
            row = tables.Watermark(tenant=tenant, name=name, original=upload.original, width=1, height=1)
        row.original, row.width, row.height = upload.original, upload.width, upload.height
        row.created_at = now()
        session.add(row)
        return _watermark(row)


async def list_watermarks(database: Database, tenant: TenantName) -> list[Watermark]:
    """Return the watermarks of a tenant, sorted by name. Raise TenantNotFound."""
    async with database.reading() as session:
        await get_tenant(session, tenant)
        query = select(tables.Watermark).where(tables.Watermark.tenant == tenant)
        return [_watermark(row) for row in await session.scalars(query.order_by(col(tables.Watermark.name)))]


async def delete_watermark(database: Database, tenant: TenantName, name: str) -> None:
    """Delete a watermark. Raise TenantNotFound, or WatermarkConflict if it does not exist or a preset uses it."""
    async with database.writing() as session:
        await lock_tenant(session, tenant)
        row = await session.get(tables.Watermark, (tenant, name))
        if row is None:
            raise WatermarkConflict(f"Tenant {tenant} has no watermark {name}: see darkroom watermark list {tenant}.")
        for preset in await newest_presets(session, tenant):
            recipe = read_recipe(preset.recipe) if preset.recipe else None
            if recipe and recipe.watermark and recipe.watermark.content == name:
                raise WatermarkConflict(f"Preset {preset.name} uses watermark {name}: change the preset first.")
        await session.delete(row)


def _watermark(row: tables.Watermark) -> Watermark:
    return Watermark(row.name, Digest(row.original), row.width, row.height, row.created_at)
