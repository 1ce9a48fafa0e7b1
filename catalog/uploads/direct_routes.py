"""Routes of direct uploads: announce a file, send its bytes straight to the store, complete."""

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, json_answer, no_content
from catalog.api.body import read_stream
from catalog.api.context import ApiContext, Changing, Context
from catalog.core.api_errors import InvalidRequest, ResourceConflict, UploadTooLarge
from catalog.core.upload_errors import UploadNotFound
from catalog.core.upload_state import UploadState
from catalog.images.schemas import ImageView
from catalog.images.views import ImageViews, image_etag
from catalog.records.image import Image
from catalog.records.tenant_scope import enter_tenant
from catalog.records.upload_session import UploadSession
from catalog.uploads.completion import Completion, delete_parts
from catalog.uploads.content_seal import MAX_LENGTH, ContentGrant, ContentSealer
from catalog.uploads.direct_schemas import DirectUpload, NewDirectUpload
from catalog.uploads.form import upload_fields
from catalog.uploads.recording import record_known
from catalog.uploads.routes import open_intake
from catalog.uploads.sessions import (
    LIFETIME,
    Announcement,
    Kind,
    abort_session,
    check_announcement,
    check_unfinished,
    find_session,
    open_session,
)
from proxy.core.identifiers import Digest, TenantName, UploadId
from proxy.delivery.staging import StagedFile

router = APIRouter(prefix="/api/uploads", tags=["uploads"])

Id = Annotated[str, Path(max_length=64, description="Id of the upload.")]
Seal = Annotated[str, Query(max_length=MAX_LENGTH, description="Seal of the URL, as the announcement answered it.")]

_HEADERS = {"content-type": "application/octet-stream"}
_CONTENT = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "",
    summary="Announce a direct upload",
    status_code=201,
    response_model=DirectUpload,
    responses={200: {"model": ImageView, "description": "The bytes are here already."}, 415: {}, 507: {}},
)
async def announce_upload(context: Context, change: Changing, body: NewDirectUpload) -> Response:
    """Return where to send the file's bytes. Bytes whose `sha256` is known need not be sent: 200 with their image."""
    tenant = change.principal.tenant
    form = body.form()
    _, rules = await open_intake(context, tenant)
    announced = Announcement(Kind.DIRECT, body.file_name, body.size_bytes, sha256=body.sha256, form=form)
    check_announcement(announced, rules, context.formats)
    views = await ImageViews.open(context, tenant)
    free_bytes = await context.platform.upload_parts.free_bytes()

    async def work(session: AsyncSession) -> Response:
        if body.sha256 is not None:
            known = await record_known(
                session, change.principal, change.origin, Digest(body.sha256), upload_fields(form)
            )
            if known is not None:
                view = await views.view(session, known.image, duplicate=True)
                return json_answer(view, etag=image_etag(known.image))
        row = await open_session(session, change.principal, announced, rules.staging_bytes, free_bytes)
        return created(f"{router.prefix}/{row.id}", await _grant(context, row))

    return await change.run(work)


@router.put(
    "/{id}/content",
    summary="Send the bytes of a direct upload",
    status_code=204,
    response_class=Response,
    responses={403: {}, 404: {}, 503: {}},
    openapi_extra=_CONTENT,
)
async def put_content(request: Request, context: Context, id: Id, seal: Seal = "") -> Response:  # noqa: A002 - the contract's own name
    """Take the announced bytes; sent again, they replace those before. The URL's seal is the permission."""
    grant = _sealer(context).open(seal, id, time.time())
    _check_length(request, grant.size_bytes)
    tenant, upload = TenantName(grant.tenant), UploadId(grant.upload)
    enter_tenant(tenant)
    await _check_open(context, tenant, upload)
    with StagedFile(grant.size_bytes) as staged:
        async for chunk in read_stream(request):
            await staged.append(chunk)
        if staged.size_bytes != grant.size_bytes:
            raise InvalidRequest(f"The body has {staged.size_bytes} bytes: send the {grant.size_bytes} announced ones.")
        with staged.open() as source:
            await context.platform.upload_parts.replace(tenant, upload, source)
    return no_content()


@router.post(
    "/{id}/complete",
    summary="Complete a direct upload",
    status_code=201,
    response_model=ImageView,
    responses={200: {"model": ImageView, "description": "The bytes were here already."}, 415: {}},
)
async def complete_upload(context: Context, change: Changing, id: Id) -> Response:  # noqa: A002 - the contract's own name
    """Take in the bytes that were sent: 201 with the image, or 200 with the one that stands on the same bytes."""
    views = await ImageViews.open(context, change.principal.tenant)
    async with context.database.reading() as session:
        row = await find_session(session, change.principal, id, Kind.DIRECT)

    async def answer(session: AsyncSession, image: Image, is_new: bool) -> Response:  # noqa: FBT001 - as `Answer` has it
        view, etag = await views.view(session, image, duplicate=not is_new), image_etag(image)
        return created(f"/api/images/{view.id}", view, etag=etag) if is_new else json_answer(view, etag=etag)

    return await Completion(context, change).run(row, answer)


@router.delete("/{id}", summary="End a direct upload", status_code=204, response_class=Response)
async def delete_upload(context: Context, change: Changing, id: Id) -> Response:  # noqa: A002 - the contract's own name
    """Delete what was sent; an image that the upload has become stays."""
    rows: list[UploadSession] = []

    async def work(session: AsyncSession) -> Response:
        rows.append(await abort_session(session, change.principal, id, Kind.DIRECT))
        return no_content()

    response = await change.run(work)
    for row in rows:
        await delete_parts(context, row)
    return response


async def _grant(context: ApiContext, row: UploadSession) -> DirectUpload:
    """Return a form of the store, or a sealed URL of ours."""
    tenant, upload, lifetime_s = TenantName(row.tenant), UploadId(row.id), int(LIFETIME.total_seconds())
    form = await context.platform.upload_parts.presign(tenant, upload, row.size_bytes, lifetime_s)
    if form is not None:
        return DirectUpload(
            id=row.id, method="POST", url=form.url, fields=dict(form.fields), headers={}, expires_at=row.expires_at
        )
    grant = ContentGrant(row.tenant, row.id, row.size_bytes, int(row.expires_at.timestamp()))
    url = f"{context.base_url.rstrip('/')}/api/uploads/{row.id}/content?seal={_sealer(context).seal(grant)}"
    return DirectUpload(id=row.id, method="PUT", url=url, fields={}, headers=_HEADERS, expires_at=row.expires_at)


async def _check_open(context: ApiContext, tenant: TenantName, upload: UploadId) -> None:
    """Raise an error unless the upload takes bytes; its seal has shown whose it is."""
    async with context.database.reading() as session:
        row = await session.get(UploadSession, upload)
    if row is None or row.tenant != tenant:
        raise UploadNotFound
    if row.state == UploadState.COMPLETED.value:
        raise ResourceConflict("The upload is complete: create another one for other bytes.")
    check_unfinished(row)


def _check_length(request: Request, size_bytes: int) -> None:
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise InvalidRequest(f"Send Content-Length: {size_bytes}, the announced size.")
    if int(length) > size_bytes:
        raise UploadTooLarge(f"The body has {length} bytes; {size_bytes} were announced.")
    if int(length) != size_bytes:
        raise InvalidRequest(f"The body has {length} bytes; {size_bytes} were announced: send the whole file.")


def _sealer(context: ApiContext) -> ContentSealer:
    return ContentSealer(context.database.cipher.derive("upload"))
