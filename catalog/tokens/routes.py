"""Routes of API tokens."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, no_content
from catalog.api.context import Caller, Changing, Context
from catalog.api.pages import Page, PageQuery, next_cursor, open_position
from catalog.api.positions import by_creation, creation_position
from catalog.core.roles import Role, Scope
from catalog.tokens import service
from catalog.tokens.schemas import TokenCreate, TokenCreated, TokenId, TokenView, view_of

router = APIRouter(prefix="/api/tokens", tags=["tokens"])


@router.get("", summary="List the tenant's tokens")
async def list_tokens(context: Context, caller: Caller, query: Annotated[PageQuery, Query()]) -> Page[TokenView]:
    """Return the tokens, the newest first, revoked ones included."""
    after = open_position(context.cursors, query, caller.tenant, "tokens")
    async with context.database.reading() as session:
        rows = await service.list_tokens(session, caller.tenant, query.limit + 1, by_creation(after))
    cursor = next_cursor(context.cursors, query, caller.tenant, "tokens", rows, creation_position)
    return Page(items=[view_of(row) for row in rows[: query.limit]], next_cursor=cursor)


@router.get("/{id}", summary="Read one token")
async def read_token(context: Context, caller: Caller, id: TokenId) -> TokenView:  # noqa: A002 - the contract's own name
    """Return a token without its secret."""
    async with context.database.reading() as session:
        return view_of(await service.find_token(session, caller.tenant, id))


@router.post("", summary="Create a token", status_code=201, response_model=TokenCreated)
async def create_token(change: Changing, body: TokenCreate) -> Response:
    """Create a token. Its text is in this answer and nowhere else. Nobody grants a role above their own."""

    async def work(session: AsyncSession) -> Response:
        token = await service.create_token(
            session,
            change.principal,
            change.origin,
            role=Role.parse(body.role),
            name=body.name,
            scopes=frozenset(Scope(name) for name in body.scopes),
            expires_at=body.expires_at,
        )
        return created(f"/api/tokens/{token.row.id}", TokenCreated(id=token.row.id, token=token.text))

    return await change.run(work)


@router.delete("/{id}", summary="Revoke a token", status_code=204)
async def revoke_token(change: Changing, id: TokenId) -> Response:  # noqa: A002 - the contract's own name
    """Revoke a token; it stops working on all nodes within five seconds."""

    async def work(session: AsyncSession) -> Response:
        await service.revoke_token(session, change.principal, change.origin, id)
        return no_content()

    return await change.run(work)
