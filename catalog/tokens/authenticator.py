"""Authentication: the `Authorization` field to a Principal.

A verified token is remembered for CACHE_S, so that a revoked one stops within that time on every node and a busy client
costs no query per request. Every failure has the same answer. Failures are counted per address: beyond FREE_FAILURES a
minute each further one waits, so that guessing is slow, and valid tokens from the same address are not delayed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

from cachetools import TTLCache

from catalog.core.api_errors import Unauthenticated
from catalog.core.roles import Principal
from catalog.core.token_format import PREFIX, ApiToken
from catalog.records.database import Database
from catalog.records.tenant_scope import every_tenant, tenant_scope
from catalog.tokens.service import authenticate, record_use

CACHE_S = 4.0
MAX_REMEMBERED = 10_000
MAX_HEADER_LENGTH = 8_192
FREE_FAILURES = 10
FAILURE_WINDOW_S = 60.0
SLOWEST_ANSWER_S = 2.0
FIRST_DELAY_S = 0.1

VerifyJwt = Callable[[str], Awaitable[Principal | None]]


class Authenticator:
    """Authenticates requests; `verify_jwt` handles what is not a token of ours."""

    def __init__(self, database: Database, verify_jwt: VerifyJwt | None = None) -> None:
        self._database = database
        self._verify_jwt = verify_jwt
        self._remembered: TTLCache[str, Principal] = TTLCache(MAX_REMEMBERED, CACHE_S)
        self._failures: TTLCache[str, int] = TTLCache(MAX_REMEMBERED, FAILURE_WINDOW_S)
        self.failed = 0
        """Failures so far, for metrics."""

    async def authenticate(self, authorization: str | None, address: str) -> Principal:
        """Return the principal. Raise Unauthenticated; the more often for one address, the later."""
        text = _bearer(authorization)
        principal = None if text is None else await self._find(text)
        if principal is None:
            await self._fail(address)
            raise Unauthenticated
        return principal

    async def _find(self, text: str) -> Principal | None:
        remembered_as = sha256(text.encode()).hexdigest()
        if (principal := self._remembered.get(remembered_as)) is not None:
            return principal
        principal = await self._verify(text)
        if principal is not None:
            self._remembered[remembered_as] = principal
        return principal

    async def _verify(self, text: str) -> Principal | None:
        if not text.startswith(f"{PREFIX}_"):
            return None if self._verify_jwt is None else await self._verify_jwt(text)
        token = ApiToken.parse(text)
        if token is None:
            return None
        with every_tenant():  # whose it is, the row says
            async with self._database.reading() as session:
                found = await authenticate(session, token)
        if found is None:
            return None
        principal = found[0]
        with tenant_scope(principal.tenant):
            async with self._database.writing() as session:
                await record_use(session, token.id)
        return principal

    async def _fail(self, address: str) -> None:
        """Count a failure, and wait where there were many of one address."""
        self.failed += 1
        failures = self._failures[address] = self._failures.get(address, 0) + 1
        if failures > FREE_FAILURES:
            exponent = min(failures - FREE_FAILURES, 10)
            await asyncio.sleep(min(SLOWEST_ANSWER_S, FIRST_DELAY_S * 2.0**exponent))


def _bearer(authorization: str | None) -> str | None:
    """Return the token of an `Authorization: Bearer` field (RFC 6750 §2.1), or None."""
    if authorization is None or len(authorization) > MAX_HEADER_LENGTH:
        return None
    scheme, _, text = authorization.partition(" ")
    return text.strip() if scheme.lower() == "bearer" and text.isascii() else None
