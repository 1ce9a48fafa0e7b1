"""Routes of the audit trail. It is read only: no route changes or deletes an event."""

from typing import Annotated

from fastapi import APIRouter, Query

from catalog.api.context import Caller, Context
from catalog.api.cursors import Position
from catalog.api.pages import Page, next_cursor, open_position
from catalog.api.positions import by_creation
from catalog.audit import service
from catalog.audit.schemas import AuditEventView, AuditQuery, view_of
from catalog.records.audit_event import AuditEvent

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("", summary="List the tenant's changes")
async def list_events(context: Context, caller: Caller, query: Annotated[AuditQuery, Query()]) -> Page[AuditEventView]:
    """Return the events of the audit trail, the newest first."""
    after = by_creation(open_position(context.cursors, query, caller.tenant, "audit"))
    async with context.database.reading() as session:
        rows = await service.list_events(session, caller.tenant, query.to_filter(), query.limit + 1, after)
    cursor = next_cursor(context.cursors, query, caller.tenant, "audit", rows, _position)
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


def _position(row: AuditEvent) -> Position:
    return [row.at.isoformat(), row.id]
