"""A tenant's rules: how it wants its pictures, and its limits."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace

from catalog.core.errors import RulesConflict
from catalog.records.database import Database
from catalog.records.tables import Tenant
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName
from proxy.core.planning.limits import HARD_CAPS, Limits
from proxy.settings import Settings

LONGEST_TTL_S = 365 * 86_400


async def change_rules(  # noqa: PLR0913 - a rule each
    database: Database,
    name: TenantName,
    *,
    linear: bool | None = None,
    crisp: bool | None = None,
    wide: bool | None = None,
    hints: bool | None = None,
    reference_ttl_s: int | None = None,
    limits: Mapping[str, int | None] | None = None,
) -> None:
    """Change how a tenant wants its pictures; None leaves a rule, and of a limit takes it back to the installation's.

    TenantNotFound; RulesConflict for a limit that does not exist or is beyond the hard caps.
    """
    async with database.writing() as session:
        row = await lock_tenant(session, name)
        for field_name, value in (("linear", linear), ("crisp", crisp), ("wide", wide), ("hints", hints)):
            if value is not None:
                setattr(row, field_name, value)
        if reference_ttl_s is not None:
            if not 1 <= reference_ttl_s <= LONGEST_TTL_S:
                raise RulesConflict(f"A reference is trusted for 1 s to {LONGEST_TTL_S} s.")
            row.reference_ttl_s = reference_ttl_s
        kept: dict[str, int] = json.loads(row.limits)
        for limit, number in (limits or {}).items():
            _check_limit(limit, number)
            if number is None:
                kept.pop(limit, None)
            else:
                kept[limit] = number
        row.limits = json.dumps(kept, sort_keys=True)


def limits_of(settings: Settings) -> Limits:
    """Give the installation's limits, none of them beyond the hard caps."""
    return Limits(
        **{one.name: min(getattr(settings, one.name), getattr(HARD_CAPS, one.name)) for one in fields(Limits)}
    )


async def limits_of_tenant(database: Database, name: TenantName, usual: Limits) -> Limits:
    """Give a tenant's limits: the usual ones but where it has its own; TenantNotFound."""
    async with database.reading() as session:
        return own_limits(await get_tenant(session, name), usual)


async def how_to_raise(database: Database, name: TenantName, limit: str, usual: Limits) -> str | None:
    """Say what raises a limit that a tenant's original is over: its own, or the installation's; None at a hard cap."""
    async with database.reading() as session:
        kept = json.loads((await get_tenant(session, name)).limits)
    installed = getattr(usual, limit)
    own = kept.get(limit)
    if limit == "source_bytes" and own is not None and own > installed:
        own = None  # the store holds every tenant to the installation's bytes
    if (installed if own is None else own) >= getattr(HARD_CAPS, limit):
        return None
    if own is None:
        return f"DARKROOM_{limit.upper()}."
    return f"its tenant's own: darkroom tenant set {name} --limit {limit}=…"


def own_limits(row: Tenant, usual: Limits) -> Limits:
    """Give the usual limits, but where a tenant has its own."""
    return replace(usual, **json.loads(row.limits))


def _check_limit(name: str, number: int | None) -> None:
    names = [one.name for one in fields(Limits)]
    if name not in names:
        raise RulesConflict(f"The limits are {', '.join(names)}.")
    most = getattr(HARD_CAPS, name)
    if number is not None and not 1 <= number <= most:
        raise RulesConflict(f"{name} takes 1…{most}, or nothing for the installation's own.")
