"""Routes of signing keys."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, no_content
from catalog.api.context import Caller, Changing, Context
from catalog.api.pages import Page, PageQuery, next_cursor, open_position
from catalog.api.positions import by_number
from catalog.keys import service
from catalog.keys.schemas import KeyCreate, KeyCreated, KeyView, view_of

router = APIRouter(prefix="/api/keys", tags=["keys"])

KeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", summary="List the tenant's signing keys")
async def list_keys(context: Context, caller: Caller, query: Annotated[PageQuery, Query()]) -> Page[KeyView]:
    """Return the keys, the newest first, retired ones included, without their secrets."""
    before = by_number(open_position(context.cursors, query, caller.tenant, "keys"))
    async with context.database.reading() as session:
        rows = await service.keys_before(session, context.database.cipher, caller.tenant, query.limit + 1, before)
    cursor = next_cursor(context.cursors, query, caller.tenant, "keys", rows, lambda key: [key.id])
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{id}", summary="Read one signing key")
async def read_key(context: Context, caller: Caller, id: KeyId) -> KeyView:  # noqa: A002 - the contract's own name
    """Return a key without its secret."""
    async with context.database.reading() as session:
        return view_of(await service.find_key(session, context.database.cipher, caller.tenant, id))


@router.post("", summary="Add a signing key", status_code=201, response_model=KeyCreated)
async def create_key(context: Context, change: Changing, body: KeyCreate) -> Response:
    """Add a key that signs from now on; older ones still verify. Its secret is in this answer and nowhere else."""
    secret = None if body.secret is None else body.secret.get_secret_value()

    async def work(session: AsyncSession) -> Response:
        key = await service.create_key(session, context.database.cipher, change.principal, change.origin, secret)
        body = KeyCreated(id=key.id, fingerprint=key.fingerprint, secret=key.secret)
        return created(f"/api/keys/{key.id}", body)

    return await change.run(work)


@router.delete("/{id}", summary="Retire a signing key", status_code=204)
async def retire_key(change: Changing, id: KeyId) -> Response:  # noqa: A002 - the contract's own name
    """Retire a key: URLs that it signed are refused within seconds. The last one cannot be retired (409)."""

    async def work(session: AsyncSession) -> Response:
        await service.retire_key(session, change.principal, change.origin, id)
        return no_content()

    return await change.run(work)
