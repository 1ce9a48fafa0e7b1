"""Routes of an image's bytes: replacement, versions, going back."""

import re
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import json_answer
from catalog.api.change import Change
from catalog.api.conditions import MAX_LENGTH, check_if_match
from catalog.api.context import ApiContext, Caller, Changing, Context
from catalog.core.api_errors import FieldError, ResourceNotFound, ValidationFailed
from catalog.entities.service import entities_of
from catalog.images import service as images
from catalog.images.schemas import ImageView
from catalog.images.views import ImageViews, image_etag
from catalog.records.image import ImageVersion
from catalog.records.refusals import lock_originals
from catalog.tenants.rules import rules_of_tenant
from catalog.uploads.form import ReceivedFile, ReceivedForm, read_form
from catalog.uploads.intake import AcceptedFile, Intake, IntakeRules
from catalog.versions import service
from catalog.versions.schemas import VersionsView, view_of
from proxy.core.errors import NotFound
from proxy.core.identifiers import Digest, TenantName

router = APIRouter(prefix="/api/images", tags=["images"])

REPLACEMENT = re.compile(r"/api/images/[^/]+/replace")
"""Paths whose bodies are files."""

Id = Annotated[str, Path(max_length=64, description="Id of the image.")]
Number = Annotated[int, Path(description="Number of the version.")]
IfMatch = Annotated[str | None, Header(max_length=MAX_LENGTH, description="Change only this version.")]
_FILE: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]},
                "example": {"file": "(bytes)"},
            }
        },
    }
}


@router.put("/{id}/replace", summary="Replace the bytes of an image", response_model=ImageView, openapi_extra=_BODY)
async def replace_image(
    request: Request,
    context: Context,
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    if_match: IfMatch = None,
) -> Response:
    """Make a file the next version of the image; its id, links, tags and texts stay. Its own bytes change nothing."""
    tenant = change.principal.tenant
    entity_types = await _find_entity_types(context, change, id, if_match)
    with ExitStack() as stack:
        scanning = context.platform.scanning
        intake = Intake(context.database, context.originals, context.pixels, context.limits, context.formats, scanning)
        rules = await intake.rules_of(tenant)
        form = await read_form(
            stack,
            request.headers.get("content-type", ""),
            request.stream(),
            file_field="file",
            max_files=1,
            limit_bytes=rules.staging_bytes,
        )
        received = _only_file(form)
        views = await ImageViews.open(context, tenant)
        for entity_type in _with_own_rules(rules, entity_types):
            file = await intake.accept(tenant, rules, received.staged, received.candidate, entity_type)

        async def work(session: AsyncSession) -> Response:
            await lock_originals(session, tenant, [file.original])
            row = await images.find_image(session, tenant, id, lock=True)
            check_if_match(if_match, image_etag(row))
            await service.replace_bytes(session, change.principal, change.origin, row, file)
            return json_answer(await views.view(session, row), etag=image_etag(row))

        return await change.bound_to(*form.fingerprint()).run(work)


@router.get("/{id}/versions", summary="List the versions of an image")
async def list_versions(context: Context, caller: Caller, id: Id) -> VersionsView:  # noqa: A002 - the contract's own name
    """Return what the image stands and stood on, the newest first."""
    async with context.database.reading() as session:
        image = await images.find_image(session, caller.tenant, id)
        rows = await service.list_versions(session, image)
    return VersionsView(versions=[view_of(row, image) for row in rows])


@router.post(
    "/{id}/versions/{n}/restore",
    summary="Go back to a version of an image",
    response_model=ImageView,
    responses={415: {}},
)
async def restore_version(
    context: Context,
    change: Changing,
    id: Id,  # noqa: A002 - the contract's own name
    n: Number,
    if_match: IfMatch = None,
) -> Response:
    """Let the image stand on the bytes of a version again; the versions after it stay."""
    tenant = change.principal.tenant
    async with context.database.reading() as session:
        version = await service.find_version(session, await images.find_image(session, tenant, id), n)
    file = await _examine(context, tenant, version)
    views = await ImageViews.open(context, tenant)

    async def work(session: AsyncSession) -> Response:
        await lock_originals(session, tenant, [file.original])
        row = await images.find_image(session, tenant, id, lock=True)
        check_if_match(if_match, image_etag(row))
        kept = await service.find_version(session, row, n)
        await service.restore_version(session, change.principal, change.origin, row, kept, file)
        return json_answer(await views.view(session, row), etag=image_etag(row))

    return await change.run(work)


async def _find_entity_types(context: ApiContext, change: Change, identifier: str, if_match: str | None) -> list[str]:
    """Return the types of entities that an image is linked to, before its new bytes are read.

    Refuse what is certain to be refused then. A request with an idempotency key may have been answered already.
    """
    tenant = change.principal.tenant
    async with context.database.reading() as session:
        row = await images.find_image(session, tenant, identifier)
        entities = await entities_of(session, tenant, row.id)
    if change.idempotent is None:
        check_if_match(if_match, image_etag(row))
        images.check_served(row)
    return [entity.type for entity in entities]


def _with_own_rules(rules: IntakeRules, entity_types: list[str]) -> list[str | None]:
    """Return one entity type for each set of upload rules that applies."""
    uploads = rules.tenant.uploads
    by_rules = {uploads.rules_for(entity_type): entity_type for entity_type in sorted(set(entity_types))}
    return list(by_rules.values()) or [None]


def _only_file(form: ReceivedForm) -> ReceivedFile:
    """Return the file of a form that has nothing else. Raise ValidationFailed, or the error of the file."""
    if form.values:
        name = min(form.values)[:40]
        detail = "A replacement is only a file: change the metadata by PATCH /api/images/{id}/metadata."
        raise ValidationFailed([FieldError(f"/{name}", "unknown-field", detail)])
    [received] = form.files
    if received.error is not None:
        raise received.error
    return received


async def _examine(context: ApiContext, tenant: TenantName, version: ImageVersion) -> AcceptedFile:
    """Examine the original of a version again. Raise ResourceNotFound if it is no longer stored."""
    rules = await rules_of_tenant(context.database, tenant)
    original = Digest(version.original)
    try:
        opened = await context.originals.open(tenant, original)
    except NotFound:
        raise ResourceNotFound("The bytes of this version are no longer stored.") from None
    with opened:
        examination = await context.pixels.examine(opened)
        return AcceptedFile(original, opened.size_bytes, version.file_name, examination, rules.keep_location)
