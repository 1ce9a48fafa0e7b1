"""All tables: importing this module puts every one of them into the metadata."""

from catalog.records import (
    audit_event,
    collection,
    daily_usage,
    entity,
    identity,
    image,
    job,
    tables,
    tenant_settings,
    upload_session,
)

__all__ = [
    "audit_event",
    "collection",
    "daily_usage",
    "entity",
    "identity",
    "image",
    "job",
    "tables",
    "tenant_settings",
    "upload_session",
]
