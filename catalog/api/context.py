"""What routes share at run time, and the dependencies through which they get it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request

from catalog.api.change import Change
from catalog.api.cursors import CursorSealer
from catalog.api.idempotency import IdempotentRequest, check_key, fingerprint_of
from catalog.api.media_types import is_json
from catalog.api.rate_limits import RateLimiter
from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role
from catalog.ports import Platform
from catalog.records.database import Database
from proxy.core.media.formats import Format
from proxy.core.planning.limits import Limits
from proxy.ports import Originals, Pixels

LONGEST_USER_AGENT = 255


class Authenticates(Protocol):
    """Authentication of requests."""

    async def authenticate(self, authorization: str | None, address: str) -> Principal:
        """Return the principal of an `Authorization` field. Raise Unauthenticated."""
        ...


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The parts that every route may need."""

    platform: Platform
    authenticator: Authenticates
    rate_limiter: RateLimiter
    cursors: CursorSealer
    limits: Limits
    """The installation's; tenants may have their own."""
    formats: tuple[Format, ...]
    """Formats that the installation reads."""
    base_url: str
    """What signed URLs begin with; empty for URLs without scheme and host."""

    @property
    def database(self) -> Database:
        """The catalog's database."""
        return self.platform.database

    @property
    def originals(self) -> Originals:
        """Where originals are stored."""
        return self.platform.originals

    @property
    def pixels(self) -> Pixels:
        """The sandboxed workers."""
        return self.platform.pixels


def context_of(request: Request) -> ApiContext:
    """Return the context of the application."""
    context = request.app.state.context
    if not isinstance(context, ApiContext):
        raise TypeError("the application has no context")
    return context


async def provide_context(request: Request) -> ApiContext:
    """Return the context as a dependency; FastAPI would run a plain function in a thread."""
    return context_of(request)


def origin_of(request: Request) -> Origin:
    """Return where the request came from."""
    agent = "".join(character for character in request.headers.get("user-agent", "") if character.isprintable())
    address = request.client.host if request.client else ""
    return Origin(address, agent[:LONGEST_USER_AGENT], str(getattr(request.state, "request_id", "")))


async def principal_of(request: Request) -> Principal:
    """Return the caller, whom `catalog.api.authorization` has let through."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise TypeError("the route is public, so it has no caller")
    return principal


async def change_of(request: Request, principal: Annotated[Principal, Depends(principal_of)]) -> Change:
    """Return the change that a request asks for, with its idempotency key if it has one."""
    context, key = context_of(request), request.headers.get("idempotency-key")
    idempotent = None
    if key is not None:
        check_key(key)
        # a file is read as a stream, by the route, which then binds the change to it
        body = await request.body() if is_json(request.headers.get("content-type", "")) else b""
        route = f"{request.method} {request.scope['route'].path}"
        fingerprint = fingerprint_of(request.method, request.url.path, request.url.query, body)
        idempotent = IdempotentRequest(principal, route, key, fingerprint)
    return Change(context.database, principal, origin_of(request), idempotent, _on_commit(request, principal))


def _on_commit(request: Request, principal: Principal) -> Callable[[], None]:
    """Return what follows a change: keys and presets sign URLs, and only administrators change them."""
    signers = context_of(request).platform.signers
    if request.state.permission.role < Role.ADMIN:
        return lambda: None
    return lambda: signers.forget(principal.tenant)


Context = Annotated[ApiContext, Depends(provide_context)]
Caller = Annotated[Principal, Depends(principal_of)]
Changing = Annotated[Change, Depends(change_of)]
