"""API tokens: created once, shown once, revoked for good."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import record
from catalog.core.api_errors import NotPermitted, ResourceConflict, ResourceNotFound
from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role, Scope
from catalog.core.token_format import ApiToken
from catalog.records.base import now
from catalog.records.identity import Token
from proxy.core.identifiers import TenantName

MAX_TOKENS = 1_000
"""Of one tenant, revoked ones apart."""
LAST_USE_STEP = timedelta(minutes=5)
"""How coarsely the last use is recorded: one write per token and step at most."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token at the one moment when its text exists."""

    row: Token
    text: str = field(repr=False)


async def create_token(  # noqa: PLR0913 - a token's own fields
    session: AsyncSession,
    principal: Principal,
    origin: Origin,
    *,
    role: Role,
    name: str = "",
    scopes: frozenset[Scope] = frozenset(),
    expires_at: datetime | None = None,
) -> NewToken:
    """Create a token of the principal's tenant.

    Raise NotPermitted for a role above the principal's own, and ResourceConflict beyond MAX_TOKENS.
    """
    if not principal.may_grant(role):
        raise NotPermitted(f"A token of role {role.label} is above your own role: ask an administrator.")
    if expires_at is not None and expires_at <= now():
        raise ResourceConflict("The token would have expired already: specify a later time.")
    live = select(Token.id).where(Token.tenant == principal.tenant, col(Token.revoked_at).is_(None)).limit(MAX_TOKENS)
    if len((await session.scalars(live)).all()) >= MAX_TOKENS:
        raise ResourceConflict(f"The tenant has {MAX_TOKENS} tokens: revoke some first.")
    token = ApiToken.generate(secrets.choice)
    row = Token(
        id=token.id,
        tenant=principal.tenant,
        name=name,
        role=role.label,
        scopes=sorted(scope.value for scope in scopes),
        digest=token.digest(),
        expires_at=expires_at,
        created_by=principal.subject,
    )
    session.add(row)
    await session.flush()
    await record(session, principal, origin, "token.created", ("token", row.id), after=audited(row))
    return NewToken(row, str(token))


async def list_tokens(
    session: AsyncSession, tenant: TenantName, limit: int, after: tuple[datetime, str] | None = None
) -> Sequence[Token]:
    """Return a tenant's tokens, the newest first, behind the position `after`."""
    query = select(Token).where(Token.tenant == tenant).order_by(col(Token.created_at).desc(), col(Token.id).desc())
    if after is not None:
        query = query.where(tuple_(col(Token.created_at), col(Token.id)) < tuple_(*after))
    return (await session.scalars(query.limit(limit))).all()


async def find_token(session: AsyncSession, tenant: TenantName, identifier: str) -> Token:
    """Return one of a tenant's tokens. Raise ResourceNotFound if there is none."""
    row = await session.get(Token, identifier)
    if row is None or row.tenant != tenant:
        raise ResourceNotFound("There is no such token.")
    return row


async def revoke_token(session: AsyncSession, principal: Principal, origin: Origin, identifier: str) -> None:
    """Revoke a token; it stops working on all nodes within seconds. Revoking it again changes nothing."""
    row = await find_token(session, principal.tenant, identifier)
    if row.revoked_at is not None:
        return
    if not principal.may_grant(Role.parse(row.role)):
        raise NotPermitted("The token has a role above your own: ask an administrator.")
    before = audited(row)
    row.revoked_at = now()
    row.version += 1
    await record(session, principal, origin, "token.revoked", ("token", row.id), before=before, after=audited(row))


async def authenticate(session: AsyncSession, token: ApiToken) -> tuple[Principal, Token] | None:
    """Return whom a token stands for, or None if it is unknown, wrong, expired or revoked."""
    row = await session.get(Token, token.id)
    digest = row.digest if row is not None else "0" * 64
    if not token.matches(digest) or row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= now():
        return None
    scopes = frozenset(Scope(name) for name in row.scopes)
    return Principal(f"token:{row.id}", TenantName(row.tenant), Role.parse(row.role), scopes), row


async def record_use(session: AsyncSession, identifier: str) -> None:
    """Record that a token was used, unless that was recorded within LAST_USE_STEP."""
    recent = now() - LAST_USE_STEP
    stale = col(Token.last_used_at).is_(None) | (col(Token.last_used_at) < recent)
    await session.execute(update(Token).where(col(Token.id) == identifier, stale).values(last_used_at=now()))


def audited(row: Token) -> dict[str, object]:
    """Return what the audit trail tells of a token."""
    return {"name": row.name, "role": row.role, "scopes": row.scopes, "expires_at": row.expires_at}
