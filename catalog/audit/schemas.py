"""Queries and answers about the audit trail."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from catalog.api.fields import Moment, View, check_text
from catalog.api.pages import PageQuery
from catalog.audit.service import EventFilter
from catalog.records.audit_event import AuditEvent
from catalog.records.base import WORD_LENGTH
from catalog.records.image import SUBJECT_LENGTH

_EXAMPLE: JsonDict = {
    "id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "at": "2026-11-24T12:00:00Z",
    "actor": "token:4fQ2mXb81LsA",
    "action": "token.created",
    "subject": {"type": "token", "id": "0aB3cD4eF5gH"},
    "from": {"address": "203.0.113.7", "user_agent": "curl/8.9", "request": "0123456789abcdef"},
    "before": None,
    "after": {"name": "web shop", "role": "contributor", "scopes": ["upload"], "expires_at": None},
}


class AuditQuery(PageQuery):
    """The query of the audit trail."""

    actor: Annotated[
        str,
        StringConstraints(max_length=SUBJECT_LENGTH),
        AfterValidator(check_text),
        Field(description="Only changes by this actor: `token:4fQ2mXb81LsA`."),
    ] = ""
    action: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z_.]*$", max_length=WORD_LENGTH),
        Field(description="Only this action: `token.created`."),
    ] = ""
    subject: Annotated[
        str,
        StringConstraints(max_length=WORD_LENGTH + 1 + SUBJECT_LENGTH),
        AfterValidator(check_text),
        Field(description="Only changes of this subject: `token/4fQ2mXb81LsA`, or of all of a type: `token`."),
    ] = ""
    since: Annotated[Moment | None, Field(alias="from", description="Only from this time on.")] = None
    until: Annotated[Moment | None, Field(alias="to", description="Only before this time.")] = None

    def to_filter(self) -> EventFilter:
        """Return the query as the service takes it."""
        kind, _, identifier = self.subject.partition("/")
        return EventFilter(self.actor, self.action, kind, identifier, self.since, self.until)


class Subject(View):
    """What was changed."""

    type: str
    id: str


class EventOrigin(View):
    """Where a change came from; on the command line the address and the request are empty."""

    address: str
    user_agent: str
    request: str


class AuditEventView(View):
    """An event of the audit trail; `before` and `after` hold the values that were changed, without secrets."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    at: datetime
    actor: str
    action: str
    subject: Subject
    origin: Annotated[EventOrigin, Field(serialization_alias="from")]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def view_of(row: AuditEvent) -> AuditEventView:
    """Return an event as it is answered."""
    return AuditEventView(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=Subject(type=row.subject_type, id=row.subject_id),
        origin=EventOrigin(**row.origin),
        before=row.before,
        after=row.after,
    )
