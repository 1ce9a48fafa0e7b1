"""Rows that tests of the catalog's services begin with."""

from hashlib import sha256
from unittest.mock import AsyncMock, patch

from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.uuid7 import new_uuid
from catalog.tenants.service import create_tenant
from proxy.core.identifiers import TenantName

ACME, ZOO = TenantName("acme"), TenantName("zoo")
ORIGIN = Origin("203.0.113.7", "tests", "0123456789abcdef")


def principal_of(role: Role = Role.EDITOR, tenant: TenantName = ACME, subject: str = "token:tests") -> Principal:
    """Return a principal of a role."""
    return Principal(subject, tenant, role)


async def add_tenants(database: Database) -> None:
    """Create the tenants acme and zoo, without events, which cannot be deleted: tests count those of their own."""
    silent = AsyncMock()
    with patch("catalog.tenants.service.record", silent), patch("catalog.keys.service.record", silent):
        async with database.writing() as session:
            for tenant in (ACME, ZOO):
                owner = principal_of(Role.OPERATOR, tenant)
                await create_tenant(session, database.cipher, owner, ORIGIN, tenant)


async def add_images(database: Database, count: int, tenant: TenantName = ACME) -> list[str]:
    """Write `count` images that are ready; return their ids in order."""
    rows = [_image(tenant, number) for number in range(count)]
    identifiers = [row.id for row in rows]
    async with database.writing() as session:
        session.add_all(rows)
    return identifiers


def _image(tenant: TenantName, number: int) -> Image:
    return Image(
        id=new_uuid(),
        tenant=tenant,
        original=sha256(f"{tenant} {number} {new_uuid()}".encode()).hexdigest(),
        status="ready",
        file_name=f"{number}.jpg",
        media_type="image/jpeg",
        size_bytes=1_000 + number,
        width=400,
        height=300,
        created_by="token:tests",
    )
