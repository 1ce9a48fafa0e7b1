"""What routes share at run time, and the dependencies through which they get it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from fastapi import Depends, Request

from catalog.api.change import Change
from catalog.api.cursors import CursorSealer
from catalog.api.idempotency import IdempotentRequest, check_key, fingerprint_of
from catalog.api.rate_limits import RateLimiter, RequestClass
from catalog.core.api_errors import InvalidRequest, NotPermitted, ResourceNotFound
from catalog.core.origin import Origin
from catalog.core.permissions import PERMISSIONS
from catalog.core.roles import Permission, Principal, Role
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.records.tenant import Tenant
from catalog.records.tenant_scope import enter_every_tenant, enter_tenant, tenant_scope
from proxy.core.identifiers import tenant_name
from proxy.core.media.formats import Format
from proxy.core.planning.limits import Limits
from proxy.ports import Originals, Pixels

LONGEST_USER_AGENT = 255
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


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


def permission_of(request: Request) -> Permission:
    """Return what the route demands, from the one table."""
    route = f"{request.method} {request.scope['route'].path}"
    return PERMISSIONS[route]


def origin_of(request: Request) -> Origin:
    """Return where the request came from."""
    agent = "".join(character for character in request.headers.get("user-agent", "") if character.isprintable())
    address = request.client.host if request.client else ""
    return Origin(address, agent[:LONGEST_USER_AGENT], str(getattr(request.state, "request_id", "")))


async def authorize(request: Request) -> Principal:
    """Authenticate, check the route's permission and count the request; the principal is the caller's.

    The request's transactions reach the rows of the principal's tenant from then on, of every tenant where only an
    operator may call the route: such a route is of the house. `catalog.management` ends the scope with the request.
    An operator may name another tenant by `?tenant=`. Raise Unauthenticated, NotPermitted, RateLimited.
    """
    context = context_of(request)
    address = request.client.host if request.client else ""
    principal = await context.authenticator.authenticate(request.headers.get("authorization"), address)
    request.state.caller_tenant = principal.tenant  # whose allowed origins may read the answer
    permission = permission_of(request)
    if not principal.may(permission):
        detail = f"This needs the role {permission.role.label} and the scope {permission.scope.value}."
        raise NotPermitted(detail)
    principal = await _acting_for(request, principal)
    if permission.role is Role.OPERATOR:
        enter_every_tenant()
    else:
        enter_tenant(principal.tenant)
    request.state.rate_limit = await context.rate_limiter.count(principal, _class_of(request))
    return principal


async def change_of(request: Request, principal: Annotated[Principal, Depends(authorize)]) -> Change:
    """Return the change that a request asks for, with its idempotency key if it has one."""
    context, key = context_of(request), request.headers.get("idempotency-key")
    idempotent = None
    if key is not None:
        body = b"" if _is_stream(request) else await request.body()
        route = f"{request.method} {request.scope['route'].path}"
        fingerprint = fingerprint_of(request.method, request.url.path, request.url.query, body)
        idempotent = IdempotentRequest(principal, route, check_key(key), fingerprint)
    return Change(context.database, principal, origin_of(request), idempotent, _on_commit(request, principal))


def _on_commit(request: Request, principal: Principal) -> Callable[[], None]:
    """Return what follows a change: keys and presets sign URLs, and only administrators change them."""
    signers = context_of(request).platform.signers
    if permission_of(request).role < Role.ADMIN:
        return lambda: None
    return lambda: signers.forget(principal.tenant)


def _is_stream(request: Request) -> bool:
    """Return whether the body is the bytes of a file, which the route reads."""
    multipart = request.headers.get("content-type", "").startswith("multipart/")
    return multipart or request.url.path.startswith("/api/tus")


async def _acting_for(request: Request, principal: Principal) -> Principal:
    """Return the principal, as one of the tenant that an operator names."""
    named = request.query_params.get("tenant")
    if named is None or principal.role < Role.OPERATOR:
        return principal
    try:
        tenant = tenant_name(named)
    except ValueError as error:
        raise InvalidRequest(f"?tenant: {error}") from None
    with tenant_scope(tenant):
        async with context_of(request).database.reading() as session:
            found = await session.get(Tenant, tenant)
    if found is None:
        raise ResourceNotFound(f"There is no tenant {tenant}.")
    return Principal(principal.subject, tenant, principal.role, principal.scopes)


def _class_of(request: Request) -> RequestClass:
    path = request.scope["route"].path
    if request.method in _SAFE_METHODS:
        return RequestClass.READ
    takes_files = path.startswith(("/api/images/upload", "/api/uploads", "/api/tus")) or path.endswith("/replace")
    return RequestClass.UPLOAD if takes_files else RequestClass.WRITE


Context = Annotated[ApiContext, Depends(provide_context)]
Caller = Annotated[Principal, Depends(authorize)]
Changing = Annotated[Change, Depends(change_of)]


def rate_limit_fields(request: Request) -> Mapping[str, str]:
    """Return the header fields that tell what is left of the caller's quota."""
    fields = getattr(request.state, "rate_limit", None)
    return fields if isinstance(fields, dict) else {}
