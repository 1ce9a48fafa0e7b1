"""Routes of tus 1.0.0 (https://tus.io/protocols/resumable-upload): resumable uploads.

Core, and the extensions creation, creation-with-upload, creation-defer-length, expiration, checksum and termination.
`catalog.api.tus` adds what all messages have. The request with the last bytes completes the upload; if its answer is
lost, HEAD and a PATCH without bytes do the same, so a client that resumes gets the image.
"""

from email.utils import format_datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import no_content
from catalog.api.body import read_stream
from catalog.api.change import Change
from catalog.api.context import ApiContext, Caller, Changing, Context
from catalog.api.openapi_parts import told
from catalog.core.api_errors import InvalidRequest, UploadTooLarge
from catalog.core.upload_errors import (
    OFFSET_MEDIA_TYPE,
    TUS_VERSION,
    OffsetConflict,
    UnsupportedVersion,
    UploadGone,
    WrongMediaType,
)
from catalog.core.upload_state import UploadState
from catalog.records.image import Image
from catalog.records.upload_session import UploadSession
from catalog.uploads.completion import Completion, delete_parts, without_key
from catalog.uploads.receiving import BlockWriter, Checksum
from catalog.uploads.routes import open_intake
from catalog.uploads.sessions import (
    Announcement,
    Kind,
    abort_session,
    check_announcement,
    check_unfinished,
    find_session,
    note_progress,
    open_session,
    set_size,
)
from catalog.uploads.tus_headers import (
    ALGORITHMS,
    LARGEST_NUMBER,
    read_checksum,
    read_length,
    read_metadata,
    read_number,
)
from proxy.core.identifiers import TenantName, UploadId
from proxy.ports import StoredParts

router = APIRouter(prefix="/api/tus", tags=["uploads"])

EXTENSIONS: Final = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination"
Id = Annotated[str, Path(max_length=64, description="Id of the upload.")]


_BYTES: Final = {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}
_TEXT: Final = {"type": "string"}
_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "Tus-Resumable": {"required": True, "schema": {**_TEXT, "enum": [TUS_VERSION]}},
    "Upload-Length": {"schema": _BYTES},
    "Upload-Defer-Length": {"schema": {**_TEXT, "enum": ["1"]}},
    "Upload-Metadata": {"schema": _TEXT},
    "Upload-Checksum": {"schema": _TEXT},
    "Upload-Offset": {"required": True, "schema": _BYTES},
}


def _described(*fields: str, body: bool = False) -> dict[str, Any]:
    """Return the OpenAPI description of a request's header fields, and of a body of bytes."""
    names = ("Tus-Resumable", *fields)
    described: dict[str, Any] = {"parameters": [{"name": name, "in": "header", **_FIELDS[name]} for name in names]}
    if body:
        described["requestBody"] = {"content": {OFFSET_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
    return described


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of errors that not every route has."""
    return {status: {} for status in statuses}


@router.options(
    "",
    summary="Ask what tus can do here",
    status_code=204,
    response_class=Response,
    responses={204: told("Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm")},
)
async def describe_tus(context: Context, caller: Caller) -> Response:
    """Return version, extensions, the largest file and the checksum algorithms, as header fields."""
    _, rules = await open_intake(context, caller.tenant)
    fields = {
        "tus-version": TUS_VERSION,
        "tus-extension": EXTENSIONS,
        "tus-max-size": str(rules.staging_bytes),
        "tus-checksum-algorithm": ",".join(ALGORITHMS),
    }
    return Response(status_code=204, headers=fields)


@router.post(
    "",
    summary="Create a resumable upload",
    status_code=201,
    response_class=Response,
    responses={201: told("Upload-Expires", "Upload-Offset", "X-Image-Id"), **_refusals(410, 412, 415, 460, 507)},
    openapi_extra=_described("Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Checksum", body=True),
)
async def create_tus_upload(request: Request, context: Context, change: Changing) -> Response:
    """Create an upload, whose address is in `Location`; a body is its first bytes."""
    _check_version(request)
    headers = request.headers
    if "upload-concat" in headers:
        raise InvalidRequest("Concatenation is not supported: create one upload for the whole file.")
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if has_body:
        _check_media_type(request)
    checksum = read_checksum(headers)
    announced = _announced(headers.get("upload-metadata", ""), read_length(headers))
    _, rules = await open_intake(context, change.principal.tenant)
    check_announcement(announced, rules, context.formats)
    free_bytes = await context.platform.upload_parts.free_bytes()

    async def work(session: AsyncSession) -> Response:
        row = await open_session(session, change.principal, announced, rules.staging_bytes, free_bytes)
        return Response(status_code=201, headers={"location": f"{router.prefix}/{row.id}"})

    fields = [f"{name}={headers.get(name, '')}" for name in ("upload-length", "upload-defer-length", "upload-metadata")]
    response = await change.bound_to(*fields).run(work)
    row = await _find(context, change, response.headers["location"].rpartition("/")[2])
    response.headers["upload-expires"] = _expires(row)
    if has_body and "idempotency-replayed" not in response.headers:
        await _add_bytes(request, context, change, row, StoredParts(), checksum, response)
    elif has_body:  # these bytes may be there: the client goes on at the offset
        response.headers["upload-offset"] = str((await _stored(context, row)).size_bytes)
    return response


@router.head(
    "/{id}",
    summary="Ask how much of a resumable upload is there",
    response_class=Response,
    responses={
        200: told(
            "Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata", "Upload-Expires", "X-Image-Id"
        ),
        **_refusals(409, 410, 412, 413, 415),
    },
    openapi_extra=_described(),
)
async def read_tus_upload(request: Request, context: Context, change: Changing, id: Id) -> Response:  # noqa: A002 - the contract's own name
    """Return offset and size as header fields; once it is complete, `X-Image-Id` as well."""
    _check_version(request)
    row = await _find(context, change, id)
    response = Response(headers={"cache-control": "no-store", "upload-expires": _expires(row)})
    response.headers.update({"upload-metadata": row.upload_metadata} if row.upload_metadata else {})
    response.headers.update({"upload-defer-length": "1"} if row.deferred else {"upload-length": str(row.size_bytes)})
    stored = await _stored(context, row)
    if _is_whole(row, stored.size_bytes):
        await _complete(context, change, row, response)
    response.headers["upload-offset"] = str(stored.size_bytes)
    return response


@router.patch(
    "/{id}",
    summary="Send bytes of a resumable upload",
    status_code=204,
    response_class=Response,
    responses={204: told("Upload-Offset", "Upload-Expires", "X-Image-Id"), **_refusals(410, 412, 415, 460)},
    openapi_extra=_described("Upload-Offset", "Upload-Length", "Upload-Checksum", body=True),
)
async def append_to_tus_upload(request: Request, context: Context, change: Changing, id: Id) -> Response:  # noqa: A002 - the contract's own name
    """Take the bytes that begin at `Upload-Offset`; the last ones complete the upload (`X-Image-Id`)."""
    _check_version(request)
    _check_media_type(request)
    offset, checksum = read_number(request.headers, "Upload-Offset"), read_checksum(request.headers)
    if offset is None:
        raise InvalidRequest("Send Upload-Offset: where the bytes begin in the file.")
    row = await _find(context, change, id)
    stored = await _stored(context, row)
    if offset != stored.size_bytes:
        raise OffsetConflict(stored.size_bytes)
    row = await _with_size(request, context, change, row, stored.size_bytes)
    response = no_content()
    await _add_bytes(request, context, change, row, stored, checksum, response)
    response.headers["upload-expires"] = _expires(row)
    return response


@router.delete(
    "/{id}",
    summary="End a resumable upload",
    status_code=204,
    response_class=Response,
    responses=_refusals(410, 412),
    openapi_extra=_described(),
)
async def delete_tus_upload(request: Request, context: Context, change: Changing, id: Id) -> Response:  # noqa: A002 - the contract's own name
    """Delete what was sent; an image that the upload has become stays."""
    _check_version(request)
    async with context.database.writing() as session:
        row = await abort_session(session, change.principal, id, Kind.TUS)
    await delete_parts(context, row)
    return no_content()


async def _add_bytes(  # noqa: PLR0913, PLR0917 - what creation and PATCH have in common
    request: Request,
    context: ApiContext,
    change: Change,
    row: UploadSession,
    stored: StoredParts,
    checksum: Checksum | None,
    response: Response,
) -> None:
    """Store the body behind `stored`, complete the upload if that is all, and tell of it in `response`.

    `stored` is what the request's own offset was compared with: read again, it may be what another request wrote since.
    """
    _check_length(request, row.size_bytes - stored.size_bytes)
    if row.state != UploadState.COMPLETED.value:
        parts = context.platform.upload_parts
        writer = BlockWriter(parts, TenantName(row.tenant), UploadId(row.id), stored, row.size_bytes, row.expires_at)
        await writer.receive(read_stream(request), checksum)
        await _note(context, change, row, writer.offset)
        stored = writer.stored
    if _is_whole(row, stored.size_bytes):
        await _complete(context, change, row, response)
    response.headers["upload-offset"] = str(stored.size_bytes)


async def _complete(context: ApiContext, change: Change, row: UploadSession, response: Response) -> None:
    async def answer(_session: AsyncSession, image: Image, _created: bool) -> Response:  # noqa: FBT001 - as `Answer` has it
        response.headers["x-image-id"] = image.id
        return response

    await Completion(context, without_key(change)).run(row, answer)


async def _note(context: ApiContext, change: Change, row: UploadSession, offset: int) -> None:
    """Write how far the upload is; delete what was stored if the upload was ended meanwhile."""
    try:
        async with context.database.writing() as session:
            await note_progress(session, change.principal, row.id, offset)
    except UploadGone:
        await delete_parts(context, row)
        raise


async def _find(context: ApiContext, change: Change, identifier: str) -> UploadSession:
    """Return an upload that is under way or complete."""
    async with context.database.reading() as session:
        row = await find_session(session, change.principal, identifier, Kind.TUS)
    if row.state != UploadState.COMPLETED.value:
        check_unfinished(row)
    return row


async def _stored(context: ApiContext, row: UploadSession) -> StoredParts:
    if row.state == UploadState.COMPLETED.value:
        return StoredParts(row.size_bytes)
    return await context.platform.upload_parts.stored(TenantName(row.tenant), UploadId(row.id))


async def _with_size(
    request: Request, context: ApiContext, change: Change, row: UploadSession, stored_bytes: int
) -> UploadSession:
    """Return the upload with the size that a PATCH announces, if its creation deferred that."""
    size_bytes = read_number(request.headers, "Upload-Length")
    if size_bytes is None or (not row.deferred and size_bytes == row.size_bytes):
        return row
    if not row.deferred or size_bytes < stored_bytes:
        raise InvalidRequest("Upload-Length is announced once, and not less than what has been sent.")
    _, rules = await open_intake(context, change.principal.tenant)
    check_announcement(_announced(row.upload_metadata or "", size_bytes), rules, context.formats)
    async with context.database.writing() as session:
        return await set_size(session, change.principal, row.id, size_bytes)


def _announced(metadata: str, size_bytes: int | None) -> Announcement:
    read = read_metadata(metadata)
    return Announcement(
        Kind.TUS, read.file_name, size_bytes, read.declared_type, read.sha256, read.form, metadata.strip() or None
    )


def _is_whole(row: UploadSession, stored_bytes: int) -> bool:
    return not row.deferred and stored_bytes == row.size_bytes


def _check_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != TUS_VERSION:
        raise UnsupportedVersion


def _check_media_type(request: Request) -> None:
    if request.headers.get("content-type", "").strip().lower() != OFFSET_MEDIA_TYPE:
        raise WrongMediaType


def _check_length(request: Request, remaining_bytes: int) -> None:
    """Refuse a body that announces more than what is missing, before it is read."""
    length = read_number(request.headers, "Content-Length")
    if length is not None and length > remaining_bytes:
        raise UploadTooLarge(f"The body has {length} bytes, and the file {remaining_bytes} more: send those.")


def _expires(row: UploadSession) -> str:
    """Return the end of an upload as HTTP writes dates (RFC 9110 §5.6.7)."""
    return format_datetime(row.expires_at, usegmt=True)
