"""What tests of uploads in more than one request share."""

from typing import Any

import httpx
from sqlmodel import select

from catalog.ports import Platform
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.upload_session import UploadSession
from tests.catalog.samples import ACME


async def rows_of(database: Database, model: Any) -> list[Any]:  # noqa: ANN401 - a table
    """Return all rows of a table."""
    async with database.reading() as session:
        return list(await session.scalars(select(model)))


async def images_created(database: Database) -> int:
    """Return how many images there are, each with one event of its creation."""
    events = [event for event in await rows_of(database, AuditEvent) if event.action == "image.created"]
    images = await rows_of(database, Image)
    assert sorted(event.subject_id for event in events) == sorted(image.id for image in images)
    return len(images)


async def session_of(database: Database, identifier: str) -> UploadSession:
    """Return the row of an upload."""
    async with database.reading() as session:
        return await session.get_one(UploadSession, identifier)


async def change_session(database: Database, identifier: str, **values: Any) -> None:  # noqa: ANN401 - columns
    """Set columns of an upload's row."""
    async with database.writing() as session:
        row = await session.get_one(UploadSession, identifier)
        for name, value in values.items():
            setattr(row, name, value)


async def stored_uploads(platform: Platform) -> list[str]:
    """Return the uploads of acme that have bytes."""
    return await platform.upload_parts.uploads(ACME)


async def send_content(client: httpx.AsyncClient, grant: dict[str, Any], body: bytes) -> httpx.Response:
    """Send the bytes of a direct upload as its announcement was answered: to the API, or to the store."""
    if grant["method"] == "PUT":
        assert grant["url"].startswith("https://img.example.com/api/uploads/")
        path = grant["url"].removeprefix("https://img.example.com")
        headers = {**grant["headers"], "authorization": ""}
        return await client.put(path, content=body, headers=headers)
    async with httpx.AsyncClient() as anyone:
        return await anyone.post(grant["url"], data=grant["fields"], files={"file": ("any", body)})
