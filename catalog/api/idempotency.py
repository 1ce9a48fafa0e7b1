"""Idempotency keys: a change that is sent again is answered with its first answer, and done once.

The key's row is written in the transaction of the change. So either both exist or none does: a request that was cut off
before its commit is simply done when it is repeated. Two requests with one key at once: the second waits for the first
one's row lock and then finds its answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, cast

from fastapi.responses import Response
from sqlalchemy import ColumnElement, CursorResult, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from catalog.core.api_errors import IdempotencyKeyReused, InvalidRequest
from catalog.core.roles import Principal
from catalog.records.base import now
from catalog.records.encryption import SecretCipher
from catalog.records.identity import IDEMPOTENCY_KEY_LENGTH, IdempotencyKey
from catalog.records.render_records import insert

LIFETIME = timedelta(hours=24)
LARGEST_BODY_BYTES = 2**20
"""Answers of changes are small; a larger one is a mistake of ours."""
_KEPT_HEADERS = frozenset({"location", "etag", "content-type", "x-image-id"})


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that carries a key; `fingerprint` covers method, path, query and body."""

    principal: Principal
    route: str
    key: str
    fingerprint: str


def fingerprint_of(*parts: bytes | str) -> str:
    """Return the SHA-256 of a request's parts."""
    digest = sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def check_key(key: str) -> str:
    """Return the value of an `Idempotency-Key` field. Raise InvalidRequest if it is not 1…255 printable characters."""
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidRequest(f"Idempotency-Key has 1 to {IDEMPOTENCY_KEY_LENGTH} printable ASCII characters.")
    return key


async def answer_once(
    session: AsyncSession,
    cipher: SecretCipher,
    request: IdempotentRequest,
    work: Callable[[AsyncSession], Awaitable[Response]],
) -> Response:
    """Do `work` within the caller's transaction, or return the answer that it had before.

    Answers are stored encrypted: that of a new token or key holds its secret. Raise IdempotencyKeyReused if the key
    belongs to another request.
    """
    if not await _reserve(session, request):
        return await _replay(session, cipher, request)
    response = await work(session)
    row = await _find(session, request)
    row.status = response.status_code
    row.headers = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
    row.body = cipher.encrypt(bytes(response.body).decode()).encode()
    return response


async def delete_expired(session: AsyncSession) -> int:
    """Delete keys that are older than LIFETIME; return how many there were."""
    query = delete(IdempotencyKey).where(col(IdempotencyKey.created_at) < now() - LIFETIME)
    return cast("CursorResult[Any]", await session.execute(query)).rowcount


async def _reserve(session: AsyncSession, request: IdempotentRequest) -> bool:
    """Write the key's row; return False if there is one. Waits for another transaction that is writing it."""
    row = IdempotencyKey(
        tenant=request.principal.tenant,
        subject=request.principal.subject,
        route=request.route,
        key=request.key,
        fingerprint=request.fingerprint,
    )
    expired = delete(IdempotencyKey).where(*_is(request), col(IdempotencyKey.created_at) < now() - LIFETIME)
    await session.execute(expired)
    statement = insert(session, IdempotencyKey).values(row.model_dump()).on_conflict_do_nothing()
    return bool(cast("CursorResult[Any]", await session.execute(statement)).rowcount)


async def _replay(session: AsyncSession, cipher: SecretCipher, request: IdempotentRequest) -> Response:
    row = await _find(session, request)
    if row.fingerprint != request.fingerprint:
        raise IdempotencyKeyReused
    headers = {str(name): str(value) for name, value in row.headers.items()}
    return Response(cipher.decrypt(row.body.decode()), row.status or 200, headers | {"idempotency-replayed": "true"})


async def _find(session: AsyncSession, request: IdempotentRequest) -> IdempotencyKey:
    found = await session.get(
        IdempotencyKey, (request.principal.tenant, request.principal.subject, request.route, request.key)
    )
    if found is None:
        raise LookupError("an idempotency key that was just written is gone")
    return found


def _is(request: IdempotentRequest) -> tuple[ColumnElement[bool], ...]:
    return (
        col(IdempotencyKey.tenant) == request.principal.tenant,
        col(IdempotencyKey.subject) == request.principal.subject,
        col(IdempotencyKey.route) == request.route,
        col(IdempotencyKey.key) == request.key,
    )
