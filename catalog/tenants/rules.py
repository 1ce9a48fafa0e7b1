"""Rules of a tenant: rendering options and limits."""

import json
from collections.abc import Mapping
from dataclasses import fields, replace

from catalog.core.errors import RulesConflict
from catalog.core.tenant_rules import TenantRules, read_rules
from catalog.records.database import Database
from catalog.records.tables import Tenant, TenantSettings
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName
from proxy.core.planning.limits import HARD_CAPS, Limits
from proxy.settings import Settings

LONGEST_TTL_S = 365 * 86_400
LIMIT_NAMES = tuple(limit.name for limit in fields(Limits))


async def change_rules(  # noqa: PLR0913 - one parameter per rule
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
    """Change rules of a tenant. None leaves a rule as it is; a limit of None is reset to the installation's.

    Raise TenantNotFound, or RulesConflict for an unknown limit or one above its hard cap.
    """
    async with database.writing() as session:
        row = await lock_tenant(session, name)
        for rule, value in (("linear", linear), ("crisp", crisp), ("wide", wide), ("hints", hints)):
            if value is not None:
                setattr(row, rule, value)
        if reference_ttl_s is not None:
            if not 1 <= reference_ttl_s <= LONGEST_TTL_S:
                raise RulesConflict(f"reference_ttl_s takes 1 to {LONGEST_TTL_S} seconds.")
            row.reference_ttl_s = reference_ttl_s
        changed: dict[str, int] = json.loads(row.limits)
        for limit, number in (limits or {}).items():
            _check_limit(limit, number)
            if number is None:
                changed.pop(limit, None)
            else:
                changed[limit] = number
        row.limits = json.dumps(changed, sort_keys=True)


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


def _check_limit(name: str, number: int | None) -> None:
    if name not in LIMIT_NAMES:
        raise RulesConflict(f"There is no limit {name}. The limits are {', '.join(LIMIT_NAMES)}.")
    most = getattr(HARD_CAPS, name)
    if number is not None and not 1 <= number <= most:
        raise RulesConflict(f"{name} takes 1 to {most}, or nothing for the installation's limit.")
