"""Watermarks: named originals of a tenant that recipes overlay on other images."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, func, select

from catalog.audit.service import record
from catalog.core.errors import WatermarkConflict, WatermarkNotFound
from catalog.core.image_status import ImageStatus
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.presets.service import newest_presets, read_recipe
from catalog.records import tables
from catalog.records.tables import now
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.geometry import Size, upright
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


@dataclass(frozen=True, slots=True)
class Picture:
    """An original that can become a watermark, and its upright sides in pixels."""

    original: Digest
    width: int
    height: int


def check_name(name: str) -> None:
    """Raise WatermarkConflict for an invalid name."""
    if not _NAME.fullmatch(name):
        raise WatermarkConflict("The name of a watermark has 1 to 32 characters a-z and 0-9 and begins with a letter.")


async def create_watermark(
    session: AsyncSession, principal: Principal, origin: Origin, name: str, picture: Picture
) -> Watermark:
    """Create a watermark. Raise WatermarkConflict if there is one of that name, and what `put_watermark` raises."""
    await lock_tenant(session, principal.tenant)
    if await session.get(tables.Watermark, (principal.tenant, name)) is not None:
        raise WatermarkConflict(
            f"Tenant {principal.tenant} has a watermark {name} already: change it, or choose another name."
        )
    return await put_watermark(session, principal, origin, name, picture)


async def put_watermark(
    session: AsyncSession, principal: Principal, origin: Origin, name: str, picture: Picture
) -> Watermark:
    """Create a watermark that shows an original, or replace its original. Raise TenantNotFound, WatermarkConflict."""
    check_name(name)
    if picture.width * picture.height > LARGEST_PIXELS:
        raise WatermarkConflict(f"A watermark has no more than {LARGEST_PIXELS} pixels: make the image smaller.")
    tenant = principal.tenant
    await lock_tenant(session, tenant)
    row, before = await session.get(tables.Watermark, (tenant, name)), None
    if row is None:
        count = select(func.count()).where(tables.Watermark.tenant == tenant)
        if (await session.scalars(count)).one() >= MOST_WATERMARKS:
            raise WatermarkConflict(f"Tenant {tenant} has {MOST_WATERMARKS} watermarks: delete one first.")
        row = tables.Watermark(tenant=tenant, name=name, original=picture.original, width=1, height=1)
    else:
        before = _audited(row)
        if row.original == picture.original:
            return _watermark(row)
    row.original, row.width, row.height = picture.original, picture.width, picture.height
    row.created_at = now()
    session.add(row)
    await session.flush()
    action = "watermark.created" if before is None else "watermark.updated"
    await record(session, principal, origin, action, ("watermark", name), before=before, after=_audited(row))
    return _watermark(row)


async def find_picture(
    session: AsyncSession, tenant: TenantName, *, image: str | None = None, original: str | None = None
) -> Picture | None:
    """Return the original of a tenant by the id of an image or by its SHA-256; None if the tenant has none such."""
    if image is not None:
        row = await session.get(tables.Image, image)
        if row is None or row.tenant != tenant or row.status != ImageStatus.READY.value:
            return None
        original = row.original
    found = await session.get(tables.Original, (tenant, original))
    if found is None:
        return None
    size = upright(found.orientation).of_size(Size(found.width, found.height))
    return Picture(Digest(found.sha256), size.width, size.height)


async def list_watermarks(session: AsyncSession, tenant: TenantName) -> list[Watermark]:
    """Return the watermarks of a tenant, at most MOST_WATERMARKS, sorted by name. Raise TenantNotFound."""
    await get_tenant(session, tenant)
    query = select(tables.Watermark).where(tables.Watermark.tenant == tenant)
    return [_watermark(row) for row in await session.scalars(query.order_by(col(tables.Watermark.name)))]


async def find_watermark(session: AsyncSession, tenant: TenantName, name: str) -> Watermark:
    """Return a watermark. Raise WatermarkNotFound if there is none."""
    row = await session.get(tables.Watermark, (tenant, name))
    if row is None:
        raise _not_found(tenant, name)
    return _watermark(row)


async def delete_watermark(session: AsyncSession, principal: Principal, origin: Origin, name: str) -> None:
    """Delete a watermark. Raise TenantNotFound, WatermarkNotFound, or WatermarkConflict if a preset uses it."""
    tenant = principal.tenant
    await lock_tenant(session, tenant)
    row = await session.get(tables.Watermark, (tenant, name))
    if row is None:
        raise _not_found(tenant, name)
    for preset in await newest_presets(session, tenant):
        recipe = read_recipe(preset.recipe) if preset.recipe else None
        if recipe and recipe.watermark and recipe.watermark.content == name:
            raise WatermarkConflict(f"Preset {preset.name} uses watermark {name}: change the preset first.")
    await record(session, principal, origin, "watermark.deleted", ("watermark", name), before=_audited(row))
    await session.delete(row)


def _audited(row: tables.Watermark) -> dict[str, object]:
    return {"original": row.original, "width": row.width, "height": row.height}


def _not_found(tenant: TenantName, name: str) -> WatermarkNotFound:
    return WatermarkNotFound(f"Tenant {tenant} has no watermark {name}: list its watermarks.")


def _watermark(row: tables.Watermark) -> Watermark:
    return Watermark(row.name, Digest(row.original), row.width, row.height, row.created_at)
