"""The audit trail: an event is written in the transaction of the change that it tells of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.records.audit_event import AuditEvent
from catalog.records.uuid7 import new_uuid
from proxy.core.identifiers import TenantName

REDACTED: Final = "[redacted]"
_SECRET_NAMES: Final = frozenset(
    {"secret", "token", "password", "credentials", "authorization", "digest", "location", "gps"}
)
LONGEST_TEXT: Final = 1_000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to list; None and empty text match every event."""

    actor: str = ""
    action: str = ""
    subject_type: str = ""
    subject_id: str = ""
    since: datetime | None = None
    """The first moment, inclusive."""
    until: datetime | None = None
    """The last moment, exclusive."""


async def record(  # noqa: PLR0913 - an event's own columns
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    action: str,
    subject: tuple[str, str],
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one event: `action` is `{noun}.{verb in the past}`, `subject` the type and id of what was changed.

    Values whose names say that they are secret or personal are redacted; long texts are cut.
    """
    session.add(
        AuditEvent(
            id=new_uuid(),
            tenant=principal.tenant,
            actor=principal.subject,
            action=action,
            subject_type=subject[0],
            subject_id=subject[1],
            origin=asdict(origin),
            before=None if before is None else redacted(before),
            after=None if after is None else redacted(after),
        )
    )


async def list_events(
    session: AsyncSession,
    tenant: TenantName,
    wanted: EventFilter,
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> Sequence[AuditEvent]:
    """Return a tenant's events that match the filter, the newest first, behind the position `after`."""
    query = select(AuditEvent).where(AuditEvent.tenant == tenant)
    texts = (
        (AuditEvent.actor, wanted.actor),
        (AuditEvent.action, wanted.action),
        (AuditEvent.subject_type, wanted.subject_type),
        (AuditEvent.subject_id, wanted.subject_id),
    )
    query = query.where(*(col(column) == text for column, text in texts if text))
    if wanted.since is not None:
        query = query.where(col(AuditEvent.at) >= wanted.since)
    if wanted.until is not None:
        query = query.where(col(AuditEvent.at) < wanted.until)
    if after is not None:
        query = query.where(tuple_(col(AuditEvent.at), col(AuditEvent.id)) < tuple_(*after))
    query = query.order_by(col(AuditEvent.at).desc(), col(AuditEvent.id).desc()).limit(limit)
    return (await session.scalars(query)).all()


def redacted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as they may be stored in the trail."""
    return {name: _redacted(name, value) for name, value in values.items()}


def _redacted(name: str, value: object) -> object:
    if name.lower() in _SECRET_NAMES and value is not None:
        return REDACTED
    if isinstance(value, Mapping):
        return redacted(value)
    if isinstance(value, list):
        return [_redacted("", item) for item in value]
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}…"
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
