"""Routes that describe the API: the list of routes, the OpenAPI document, and a page to read. They need no token."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import ConfigDict
from pydantic.config import JsonDict

from catalog.api.docs_page import CONTENT_SECURITY_POLICY, render
from catalog.api.fields import View
from catalog.api.openapi import DescribedApi, operations_of

router = APIRouter(tags=["api"])

_EXAMPLE: JsonDict = {"method": "GET", "path": "/api/images", "summary": "List the images", "role": "viewer"}
_HTML: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
_JSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


class RouteView(View):
    """A route; `role` is the least role that may call it, null where no token is needed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    method: str
    path: str
    summary: str
    role: str | None


class RouteList(View):
    """All routes of the API."""

    routes: list[RouteView]


def described_api(request: Request) -> DescribedApi:
    """Return the application."""
    if not isinstance(request.app, DescribedApi):
        raise TypeError("the application does not describe itself")
    return request.app


Api = Annotated[DescribedApi, Depends(described_api)]


@router.get("/api", summary="List the routes of the API")
async def list_routes(api: Api) -> RouteList:
    """Return every route with its least role."""
    rows = [
        RouteView(method=method.upper(), path=path, summary=operation["summary"], role=operation.get("x-role"))
        for method, path, operation in operations_of(api.document)
    ]
    return RouteList(routes=sorted(rows, key=lambda row: (row.path, row.method)))


@router.get("/api/openapi.json", summary="Read the OpenAPI document", response_class=Response, responses=_JSON)
async def read_openapi(api: Api) -> Response:
    """Return the API's description, for clients and their generators."""
    return Response(api.document_bytes, media_type="application/json")


@router.get("/api/docs", summary="Read the documentation", response_class=Response, responses=_HTML)
async def read_docs(api: Api) -> Response:
    """Return a page that describes every route. It has no script and loads nothing."""
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY}
    return Response(render(api.document), media_type="text/html; charset=utf-8", headers=headers)
