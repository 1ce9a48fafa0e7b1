"""Rules of a tenant, as uploads and delivery ask for them. `catalog.settings` changes them."""

import json
from dataclasses import fields, replace

from catalog.core.tenant_rules import TenantRules, read_rules
from catalog.records.database import Database
from catalog.records.tables import Tenant, TenantSettings
from catalog.records.tenant_lock import get_tenant
from proxy.core.identifiers import TenantName
from proxy.core.planning.limits import HARD_CAPS, Limits
from proxy.settings import Settings

LIMIT_NAMES = tuple(limit.name for limit in fields(Limits))


def limits_of(settings: Settings) -> Limits:
    """Return the installation's limits, lowered to the hard caps."""
    return Limits(**{name: min(getattr(settings, name), getattr(HARD_CAPS, name)) for name in LIMIT_NAMES})


async def limits_of_tenant(database: Database, name: TenantName, usual: Limits) -> Limits:
    """Return the limits of a tenant: its own, and the usual ones otherwise. Raise TenantNotFound."""
    async with database.reading() as session:
        return own_limits(await get_tenant(session, name), usual)


async def rules_of_tenant(database: Database, name: TenantName) -> TenantRules:
    """Return a tenant's rules on the management plane; the defaults where it has set none."""
    async with database.reading() as session:
        row = await session.get(TenantSettings, name)
        return read_rules({} if row is None else row.document)


async def how_to_raise(database: Database, name: TenantName, limit: str, usual: Limits) -> str | None:
    """Return what raises a limit that an original exceeds: the tenant's limit or a setting; None at a hard cap."""
    async with database.reading() as session:
        own = json.loads((await get_tenant(session, name)).limits).get(limit)
    installed = getattr(usual, limit)
    if limit == "source_bytes" and own is not None and own > installed:
        own = None  # the store enforces the installation's limit for every tenant
    if (installed if own is None else own) >= getattr(HARD_CAPS, limit):
        return None
    if own is None:
        return f"DARKROOM_{limit.upper()}."
    return f"the tenant's own limit: darkroom tenant set {name} --limit {limit}=…"


def own_limits(row: Tenant, usual: Limits) -> Limits:
    """Return the usual limits, replaced by the tenant's own.

    Limits that this version does not know are ignored: a newer version may have written them.
    """
    own = json.loads(row.limits)
    return replace(usual, **{name: own[name] for name in LIMIT_NAMES if name in own})
