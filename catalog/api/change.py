"""One change: authentication, rate limit, idempotency and one transaction around a service call.

A route hands in its work: a function of the session that returns the answer. Everything the work writes, its audit
event, the jobs it enqueues and the idempotency key are committed together, or not at all.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.idempotency import IdempotentRequest, answer_once, fingerprint_of
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.records.database import Database

Work = Callable[[AsyncSession], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Change:
    """A request that may change something."""

    database: Database
    principal: Principal
    origin: Origin
    idempotent: IdempotentRequest | None
    """None without an `Idempotency-Key`."""
    committed: Callable[[], None] = lambda: None
    """Called when the change is committed."""

    def bound_to(self, *parts: bytes | str) -> "Change":
        """Return the change with the idempotency key bound to these parts too: a body that was read as a stream."""
        if self.idempotent is None:
            return self
        fingerprint = fingerprint_of(self.idempotent.fingerprint, *parts)
        return replace(self, idempotent=replace(self.idempotent, fingerprint=fingerprint))

    async def run(self, work: Work) -> Response:
        """Do the work in one transaction, once per idempotency key, and return the answer."""
        async with self.database.writing() as session:
            if self.idempotent is None:
                answer = await work(session)
            else:
                answer = await answer_once(session, self.database.cipher, self.idempotent, work)
        self.committed()
        return answer
