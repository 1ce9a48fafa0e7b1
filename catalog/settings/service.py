"""Settings of a tenant: what delivery obeys, and the rules of the management plane, as one document with a version.

Delivery's part is in the tenant's own row, the rest is a document beside it. Both change in one transaction, under the
tenant's lock. A tenant whose settings were never written has version 0 and the defaults.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core.api_errors import FieldError, ValidationFailed
from catalog.core.errors import RulesConflict
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.core.tenant_rules import TenantRules, read_rules, write_rules
from catalog.presets.service import newest_presets
from catalog.records.base import now
from catalog.records.tables import Tenant, TenantSettings
from catalog.records.tenant_lock import get_tenant, lock_tenant
from proxy.core.identifiers import TenantName
from proxy.core.planning.limits import HARD_CAPS
from proxy.core.planning.rendering_options import RenderingOptions

LONGEST_TTL_S = 365 * 86_400
DEFAULT_TTL_S = 3_600
_LIMIT_NAMES = tuple(limit.name for limit in fields(HARD_CAPS))


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """Everything that a tenant decides for itself."""

    limits: Mapping[str, int] = field(default_factory=dict)
    """Limits that differ from the installation's; names are those of `Limits`."""
    rendering: RenderingOptions = field(default_factory=RenderingOptions)
    hints: bool = False
    """Apply client hints and Save-Data to `auto` images."""
    reference_ttl_s: int = DEFAULT_TTL_S
    """Seconds until a source is asked for changes."""
    rules: TenantRules = field(default_factory=TenantRules)


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """Settings with the number of their changes."""

    own: OwnSettings
    version: int


async def read_settings(session: AsyncSession, tenant: TenantName) -> StoredSettings:
    """Return a tenant's settings. Raise TenantNotFound."""
    return _stored(await get_tenant(session, tenant), await session.get(TenantSettings, tenant))


async def lock_settings(session: AsyncSession, tenant: TenantName) -> StoredSettings:
    """Return a tenant's settings; nobody else changes them until the transaction ends. Raise TenantNotFound."""
    row = await lock_tenant(session, tenant)
    return _stored(row, await session.get(TenantSettings, tenant))


async def replace_settings(
    session: AsyncSession, principal: Principal, origin: Origin, own: OwnSettings
) -> StoredSettings:
    """Replace all settings of the principal's tenant; equal ones change nothing.

    Raise TenantNotFound, RulesConflict for a limit or a time out of bounds, ValidationFailed for a preset in
    `eager_presets` that does not exist. A caller whose change has other rendering options purges the derivatives.
    """
    tenant = principal.tenant
    before = await lock_settings(session, tenant)
    if own == before.own:
        return before
    _check(own)
    await _check_presets(session, tenant, own.rules.eager_presets)
    _write_tenant(await lock_tenant(session, tenant), own)
    row = await session.get(TenantSettings, tenant)
    if row is None:
        row = TenantSettings(tenant=tenant, version=0)
    row.document, row.version, row.updated_at = write_rules(own.rules), row.version + 1, now()
    session.add(row)
    await session.flush()
    old, new = _changed(before.own, own)
    await record(session, principal, origin, "settings.updated", ("settings", tenant), before=old, after=new)
    return StoredSettings(own, row.version)


async def change_rules(  # noqa: PLR0913 - one parameter per rule
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    *,
    linear: bool | None = None,
    crisp: bool | None = None,
    wide: bool | None = None,
    hints: bool | None = None,
    reference_ttl_s: int | None = None,
    limits: Mapping[str, int | None] | None = None,
) -> StoredSettings:
    """Change single settings that delivery obeys: None leaves one as it is; a limit of None is the installation's.

    Raise TenantNotFound, or RulesConflict for an unknown limit or one above its hard cap.
    """
    own = (await lock_settings(session, principal.tenant)).own
    options = {"linear_light": linear, "sharpen_downscaled": crisp, "wide_gamut": wide}
    chosen = {name: value for name, value in options.items() if value is not None}
    merged = {**own.limits, **(limits or {})}
    changed = replace(
        own,
        rendering=replace(own.rendering, **chosen),
        hints=own.hints if hints is None else hints,
        reference_ttl_s=own.reference_ttl_s if reference_ttl_s is None else reference_ttl_s,
        limits={name: number for name, number in merged.items() if number is not None},
    )
    for name in limits or {}:
        _check_limit_name(name)
    return await replace_settings(session, principal, origin, changed)


async def list_origins(session: AsyncSession, most: int) -> Sequence[tuple[TenantName, tuple[str, ...]]]:
    """Return the origins of web pages that each tenant allows, of at most `most` tenants that allow any."""
    document = col(TenantSettings.document)
    if session.get_bind().dialect.name == "postgresql":
        origins, count = document["cors_origins"], func.jsonb_array_length(document["cors_origins"])
    else:
        origins, count = document["cors_origins"], func.json_array_length(document, "$.cors_origins")
    query = select(TenantSettings.tenant, origins).where(count > 0).order_by(col(TenantSettings.tenant)).limit(most)
    rows = (await session.execute(query)).all()
    return [(TenantName(tenant), read_rules({"cors_origins": listed}).cors_origins) for tenant, listed in rows]


def audited(own: OwnSettings) -> dict[str, Any]:
    """Return all settings as JSON values."""
    rendering = own.rendering
    return {
        "limits": dict(own.limits),
        "rendering": {
            "linear": rendering.linear_light,
            "crisp": rendering.sharpen_downscaled,
            "wide": rendering.wide_gamut,
        },
        "hints": own.hints,
        "reference_ttl_s": own.reference_ttl_s,
        **write_rules(own.rules),
    }


def _stored(tenant: Tenant, row: TenantSettings | None) -> StoredSettings:
    own = OwnSettings(
        limits={name: number for name, number in json.loads(tenant.limits).items() if name in _LIMIT_NAMES},
        rendering=RenderingOptions(linear_light=tenant.linear, sharpen_downscaled=tenant.crisp, wide_gamut=tenant.wide),
        hints=tenant.hints,
        reference_ttl_s=tenant.reference_ttl_s,
        rules=read_rules({} if row is None else row.document),
    )
    return StoredSettings(own, 0 if row is None else row.version)


def _write_tenant(row: Tenant, own: OwnSettings) -> None:
    row.linear, row.crisp = own.rendering.linear_light, own.rendering.sharpen_downscaled
    row.wide, row.hints = own.rendering.wide_gamut, own.hints
    row.reference_ttl_s = own.reference_ttl_s
    row.limits = json.dumps(dict(own.limits), sort_keys=True)


def _changed(before: OwnSettings, after: OwnSettings) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the members that differ, as they were and as they are."""
    old, new = audited(before), audited(after)
    names = [name for name in new if old[name] != new[name]]
    return {name: old[name] for name in names}, {name: new[name] for name in names}


def _check(own: OwnSettings) -> None:
    if not 1 <= own.reference_ttl_s <= LONGEST_TTL_S:
        raise RulesConflict(f"reference_ttl_s takes 1 to {LONGEST_TTL_S} seconds.")
    for name, number in own.limits.items():
        _check_limit_name(name)
        most = getattr(HARD_CAPS, name)
        if not 1 <= number <= most:
            raise RulesConflict(f"{name} takes 1 to {most}, or nothing for the installation's limit.")


def _check_limit_name(name: str) -> None:
    if name not in _LIMIT_NAMES:
        raise RulesConflict(f"There is no limit {name}. The limits are {', '.join(_LIMIT_NAMES)}.")


async def _check_presets(session: AsyncSession, tenant: TenantName, names: Sequence[str]) -> None:
    if not names:
        return
    known = {row.name for row in await newest_presets(session, tenant) if row.recipe is not None}
    missing = [
        FieldError(f"/eager_presets/{index}", "unknown-preset", f"There is no preset {name}: create it first.")
        for index, name in enumerate(names)
        if name not in known
    ]
    if missing:
        raise ValidationFailed(missing)
