"""Routes of uploads."""

from contextlib import ExitStack

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.answers import created, json_answer
from catalog.api.change import Change
from catalog.api.context import ApiContext, Changing, Context
from catalog.core.api_errors import UploadTooLarge
from catalog.images.schemas import ImageView
from catalog.images.views import ImageViews, image_etag
from catalog.uploads.form import MAX_FILES, ReceivedFile, ReceivedForm, read_form, upload_fields
from catalog.uploads.intake import AcceptedFile, Intake, IntakeRules
from catalog.uploads.recording import UploadFields, record_upload
from catalog.uploads.schemas import FileError, FileResult, UploadForm, UploadResults, multipart_body
from catalog.uploads.turns import turn
from proxy.core.errors import DarkroomError
from proxy.core.identifiers import TenantName

router = APIRouter(prefix="/api/images/upload", tags=["uploads"])

_SERVER_ERROR = 500
_BESIDE_FILE_BYTES = 2**20
"""What a form may have beside its file."""


@router.post(
    "",
    summary="Upload an image",
    status_code=201,
    response_model=ImageView,
    responses={200: {"model": ImageView, "description": "The bytes were here already."}},
    openapi_extra=multipart_body("file", many=False),
)
async def upload_image(request: Request, context: Context, change: Changing) -> Response:
    """Take in one file: 201 with its image, or 200 with the image that stands on the same bytes."""
    tenant = change.principal.tenant
    with ExitStack() as stack:
        intake, rules = await open_intake(context, tenant)
        ticket = stack.enter_context(context.platform.uploads.ticket(tenant))
        form = await _read(stack, request, rules, "file", 1)
        fields = form.fields()
        async with turn(context.platform.uploads, ticket):
            views = await ImageViews.open(context, tenant)
            file = await _accept(intake, tenant, rules, form.files[0], fields)

            async def work(session: AsyncSession) -> Response:
                recorded = await record_upload(session, change.principal, change.origin, file, upload_fields(fields))
                view = await views.view(session, recorded.image, duplicate=not recorded.created)
                place, etag = f"/api/images/{view.id}", image_etag(recorded.image)
                return created(place, view, etag=etag) if recorded.created else json_answer(view, etag=etag)

            return await change.bound_to(*form.fingerprint()).run(work)


@router.post(
    "/multiple",
    summary="Upload many images",
    response_model=UploadResults,
    openapi_extra=multipart_body("files", many=True),
)
async def upload_images(request: Request, context: Context, change: Changing) -> Response:
    """Take in many files with the same fields; the results are in the order of the files, one bad file spoils none."""
    tenant = change.principal.tenant
    with ExitStack() as stack:
        intake, rules = await open_intake(context, tenant)
        ticket = stack.enter_context(context.platform.uploads.ticket(tenant))
        form = await _read(stack, request, rules, "files", MAX_FILES)
        fields = form.fields()
        async with turn(context.platform.uploads, ticket):
            views = await ImageViews.open(context, tenant)
            accepted: list[AcceptedFile | DarkroomError] = []
            for received in form.files:
                try:
                    accepted.append(await _accept(intake, tenant, rules, received, fields))
                except DarkroomError as error:
                    if error.status >= _SERVER_ERROR:
                        raise
                    accepted.append(error)

            async def work(session: AsyncSession) -> Response:
                results = [
                    await _record(session, change, views, received.file_name, file, upload_fields(fields))
                    for received, file in zip(form.files, accepted, strict=True)
                ]
                return json_answer(UploadResults(results=results))

            return await change.bound_to(*form.fingerprint()).run(work)


async def open_intake(context: ApiContext, tenant: TenantName) -> tuple[Intake, IntakeRules]:
    """Return what takes in a tenant's files, and what the tenant takes."""
    database, originals, scanning = context.database, context.originals, context.platform.scanning
    intake = Intake(database, originals, context.pixels, context.limits, context.formats, scanning)
    with context.platform.uploads.ticket(tenant) as ticket:
        async with turn(context.platform.uploads, ticket):
            return intake, await intake.rules_of(tenant)


async def _read(stack: ExitStack, request: Request, rules: IntakeRules, file_field: str, most: int) -> ReceivedForm:
    announced = request.headers.get("content-length", "")
    if most == 1 and announced.isdigit() and int(announced) > rules.staging_bytes + _BESIDE_FILE_BYTES:
        # before the first byte is asked for, so that `Expect: 100-continue` saves the transfer
        raise UploadTooLarge(f"The body has {announced} bytes; a file has at most {rules.staging_bytes}.")
    return await read_form(
        stack,
        request.headers.get("content-type", ""),
        request.stream(),
        file_field=file_field,
        max_files=most,
        limit_bytes=rules.staging_bytes,
    )


async def _accept(
    intake: Intake, tenant: TenantName, rules: IntakeRules, received: ReceivedFile, fields: UploadForm
) -> AcceptedFile:
    if received.error is not None:
        raise received.error
    return await intake.accept(tenant, rules, received.staged, received.candidate, fields.entity_type)


async def _record(  # noqa: PLR0913, PLR0917 - one file of many
    session: AsyncSession,
    change: Change,
    views: ImageViews,
    file_name: str,
    file: AcceptedFile | DarkroomError,
    fields: UploadFields,
) -> FileResult:
    """Record one file within a savepoint, so that its failure leaves the others alone."""
    if isinstance(file, DarkroomError):
        return _refused(file_name, file)
    try:
        async with session.begin_nested():
            recorded = await record_upload(session, change.principal, change.origin, file, fields)
            view = await views.view(session, recorded.image, duplicate=not recorded.created)
    except DarkroomError as error:
        return _refused(file_name, error)
    return FileResult(file_name=file_name, status=201 if recorded.created else 200, image=view)


def _refused(file_name: str, error: DarkroomError) -> FileResult:
    reason = error.members().get("reason")
    problem = FileError(
        type=f"urn:darkroom:error:{error.code}",
        title=error.title,
        code=error.code,
        detail=error.detail,
        reason=None if reason is None else str(reason),
    )
    return FileResult(file_name=file_name, status=error.status, error=problem)
