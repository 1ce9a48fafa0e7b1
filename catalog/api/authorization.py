"""Authorization of a request before a byte of its body is asked for: pure ASGI, below FastAPI.

FastAPI reads a JSON body before it calls a dependency. A caller who may not do what it asks, or asks too often, is
refused here instead: its body is neither invited (`100 Continue`) nor read. What no route matches passes through, for
FastAPI to answer with 404 or 405, which it does without a body.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from catalog.api.context import ApiContext, context_of
from catalog.api.fields import check_text
from catalog.api.media_types import is_json
from catalog.api.openapi import DescribedApi
from catalog.api.problems import problem, request_id_of
from catalog.api.query_strings import QueryShape
from catalog.api.rate_limits import RequestClass
from catalog.core.api_errors import InvalidRequest, NotPermitted, ResourceNotFound
from catalog.core.permissions import PERMISSIONS, PUBLIC
from catalog.core.roles import Principal, Role
from catalog.records.tenant import Tenant
from catalog.records.tenant_scope import enter_every_tenant, enter_tenant, tenant_scope
from proxy.core.errors import DarkroomError
from proxy.core.identifiers import tenant_name

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_UPLOADS: Final = ("/api/images/upload", "/api/uploads", "/api/tus")


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the application: its method and its path as the application spells it."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Routes:
    """The routes of an application, which are complete before the first request."""

    def __init__(self, app: DescribedApi) -> None:
        self._app = app
        self._queries: dict[Route, QueryShape] = {}
        self._json: dict[Route, bool] = {}

    @cached_property
    def _rows(self) -> list[tuple[re.Pattern[str], Route]]:
        contexts = iter_route_contexts(self._app.routes)
        return [
            (context.path_regex, Route(method, str(context.path)))
            for context in contexts
            for method in context.methods or ()
        ]

    def of_path(self, path: str) -> Iterator[Route]:
        """Yield the routes that match a path, whatever their method, in the order in which they are tried."""
        return (route for pattern, route in self._rows if pattern.match(path))

    def find(self, method: str, path: str) -> Route | None:
        """Return the route that answers a request, or None."""
        return next((route for route in self.of_path(path) if route.method == method), None)

    def takes_json(self, method: str, path: str) -> bool:
        """Return whether the route that answers a request reads a JSON body."""
        route = self.find(method, path)
        if route is None:
            return False
        if route not in self._json:
            operation = self._app.document["paths"][route.path][route.method.lower()]
            self._json[route] = any(map(is_json, operation.get("requestBody", {}).get("content", ())))
        return self._json[route]

    def query_of(self, route: Route) -> QueryShape:
        """Return the query parameters that a route has."""
        if route not in self._queries:
            document = self._app.document
            operation = document["paths"][route.path][route.method.lower()]
            self._queries[route] = QueryShape.of(operation, document["components"])
        return self._queries[route]


class Authorization:
    """Middleware: sets `principal` and `rate_limit` in the state of the request, or refuses."""

    def __init__(self, app: ASGIApp, routes: Routes) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application for those who may call it."""
        if scope["type"] == "http" and (route := self._routes.find(scope["method"], scope["path"])) is not None:
            request = Request(scope)
            try:
                _check_path(scope["path"])
                if str(route) not in PUBLIC:
                    await _authorize(request, route)
                    self._check_query(request, route)
            except DarkroomError as error:
                await problem(error, request_id_of(request))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check_query(self, request: Request, route: Route) -> None:
        if request.url.query:
            self._routes.query_of(route).check(request.query_params)


def _check_path(path: str) -> None:
    """Raise ResourceNotFound for a path that nothing can have: a database would not even look it up."""
    try:
        check_text(path)
    except ValueError:
        raise ResourceNotFound("Nothing has this address: check it.") from None


async def _authorize(request: Request, route: Route) -> None:
    """Authenticate, check the route's permission and count the request.

    The request's transactions reach the rows of the principal's tenant from then on, of every tenant where only an
    operator may call the route: such a route is of the house. `catalog.management` ends the scope with the request.
    Raise Unauthenticated, NotPermitted, RateLimited; a route without a permission is a KeyError.
    """
    context, permission = context_of(request), PERMISSIONS[str(route)]
    address = request.client.host if request.client else ""
    principal = await context.authenticator.authenticate(request.headers.get("authorization"), address)
    request.state.caller_tenant = principal.tenant  # whose allowed origins may read the answer
    if not principal.may(permission):
        raise NotPermitted(f"This needs the role {permission.role.label} and the scope {permission.scope.value}.")
    principal = await _acting_for(request, context, principal)
    if permission.role is Role.OPERATOR:
        enter_every_tenant()
    else:
        enter_tenant(principal.tenant)
    request.state.rate_limit = await context.rate_limiter.count(principal, _class_of(route))
    request.state.principal, request.state.permission = principal, permission


async def _acting_for(request: Request, context: ApiContext, principal: Principal) -> Principal:
    """Return the principal, as one of the tenant that an operator names by `?tenant=`."""
    named = request.query_params.get("tenant")
    if named is None or principal.role < Role.OPERATOR:
        return principal
    try:
        tenant = tenant_name(named)
    except ValueError as error:
        raise InvalidRequest(f"?tenant: {error}") from None
    with tenant_scope(tenant):
        async with context.database.reading() as session:
            found = await session.get(Tenant, tenant)
    if found is None:
        raise ResourceNotFound(f"There is no tenant {tenant}.")
    return Principal(principal.subject, tenant, principal.role, principal.scopes)


def _class_of(route: Route) -> RequestClass:
    if route.method in _SAFE_METHODS:
        return RequestClass.READ
    takes_file = route.path.startswith(_UPLOADS) or route.path.endswith("/replace")
    return RequestClass.UPLOAD if takes_file else RequestClass.WRITE
