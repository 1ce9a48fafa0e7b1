"""Completion: the bytes of an upload session become an image, once.

The steps: all bytes are durable; they are read into one file while they are hashed; the file is taken in as any upload
is; image and end of the session are written in one transaction; the parts are deleted. Each step can be repeated after
a kill: an original is put once, and the session's row tells whether the image is there. A refusal ends the session as
well; an outage does not.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.api.change import Change
from catalog.api.context import ApiContext
from catalog.core.api_errors import FieldError, ResourceConflict, ValidationFailed
from catalog.core.upload_errors import problem_of, repeated
from catalog.core.upload_rules import Candidate
from catalog.core.upload_state import UploadState
from catalog.images.service import find_image
from catalog.records.image import Image
from catalog.records.upload_session import UploadSession
from catalog.uploads.form import upload_fields
from catalog.uploads.intake import AcceptedFile
from catalog.uploads.recording import record_upload
from catalog.uploads.routes import open_intake
from catalog.uploads.schemas import UploadForm
from catalog.uploads.sessions import Kind, check_unfinished, find_session, gone
from proxy.core.errors import DarkroomError, Unavailable
from proxy.core.identifiers import TenantName, UploadId
from proxy.delivery.staging import StagedFile

log = structlog.get_logger("darkroom.uploads")

Answer = Callable[[AsyncSession, Image, bool], Awaitable[Response]]
"""Makes the answer of an image, and of whether the upload created it."""

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Completion:
    """Completes the uploads of one request."""

    context: ApiContext
    change: Change

    async def run(self, row: UploadSession, answer: Answer) -> Response:
        """Return the answer for the image of an upload, which is made if it is not there.

        Raise ResourceConflict while bytes are missing, ValidationFailed for another SHA-256 than announced, and what an
        upload raises; a refusal is raised again when the upload is completed again.
        """
        response = await self._record(row, await self._accept(row), answer)
        await delete_parts(self.context, row)
        return response

    async def _accept(self, row: UploadSession) -> AcceptedFile | None:
        """Take in the bytes; None if the upload has become an image already."""
        if row.state == UploadState.COMPLETED.value:
            return None
        if row.outcome is not None and "code" in row.outcome:
            raise repeated(row.outcome)
        check_unfinished(row)
        try:
            return await self._take_in(row)
        except (ResourceConflict, Unavailable):
            # another request may have completed the upload, and deleted its parts, in between
            if await self._is_completed(row):
                return None
            raise

    async def _take_in(self, row: UploadSession) -> AcceptedFile:
        """Read the parts into one file, check and accept it; a refusal ends the session."""
        tenant = TenantName(row.tenant)
        await self._check_whole(row)
        intake, rules = await open_intake(self.context, tenant)
        with StagedFile(row.size_bytes) as staged:
            await self.context.platform.upload_parts.read(tenant, UploadId(row.id), staged)
            if staged.size_bytes != row.size_bytes:
                raise Unavailable("The bytes of the upload changed while they were read.")
            if row.sha256 is not None and row.sha256 != staged.digest:
                raise await self._other_bytes(row, staged.digest)
            candidate = Candidate(row.file_name, row.declared_type)
            try:
                return await intake.accept(tenant, rules, staged, candidate, _form(row).entity_type)
            except DarkroomError as error:
                await self._refuse(row, error)
                raise

    async def _is_completed(self, row: UploadSession) -> bool:
        async with self.context.database.reading() as session:
            present = await find_session(session, self.change.principal, row.id, Kind(row.kind))
        return present.state == UploadState.COMPLETED.value

    async def _check_whole(self, row: UploadSession) -> None:
        stored = await self.context.platform.upload_parts.stored(TenantName(row.tenant), UploadId(row.id))
        if row.deferred:
            raise ResourceConflict("The size of the file is not known yet: send Upload-Length.")
        if stored.size_bytes != row.size_bytes:
            detail = f"{stored.size_bytes} of {row.size_bytes} bytes have arrived: send the file first."
            raise ResourceConflict(detail)

    async def _other_bytes(self, row: UploadSession, digest: str) -> DarkroomError:
        """Return the error for another SHA-256; a file that was sent directly may be sent again."""
        detail = f"The bytes have the SHA-256 {digest}: send the file again."
        error = ValidationFailed([FieldError("/sha256", "sha256-mismatch", detail)])
        if row.kind == Kind.TUS.value:
            await self._refuse(row, error)
        else:
            await self.context.platform.upload_parts.delete(TenantName(row.tenant), UploadId(row.id))
        return error

    async def _record(self, row: UploadSession, file: AcceptedFile | None, answer: Answer) -> Response:
        change, kind = self.change, Kind(row.kind)
        refusal: DarkroomError | None = None

        async def work(session: AsyncSession) -> Response:
            nonlocal refusal
            locked = await find_session(session, change.principal, row.id, kind, lock=True)
            if locked.state != UploadState.COMPLETED.value:
                check_unfinished(locked)
                if file is None:
                    raise gone(kind)
                fields = upload_fields(_form(locked))
                try:
                    recorded = await record_upload(session, change.principal, change.origin, file, fields)
                except DarkroomError as error:
                    refusal = error
                    raise
                locked.state, locked.image = UploadState.COMPLETED.value, recorded.image.id
                locked.received_bytes, locked.outcome = locked.size_bytes, {"created": recorded.created}
                await session.flush()
            image = await find_image(session, change.principal.tenant, locked.image or "")
            return await answer(session, image, bool((locked.outcome or {}).get("created")))

        try:
            return await change.run(work)
        except DarkroomError as error:
            if error is refusal:
                await self._refuse(row, error)
            raise

    async def _refuse(self, row: UploadSession, error: DarkroomError) -> None:
        """End a session whose file is refused, unless it has ended meanwhile; an outage is not a refusal."""
        if error.status >= _SERVER_ERROR:
            return
        async with self.context.database.writing() as session:
            try:
                locked = await find_session(session, self.change.principal, row.id, Kind(row.kind), lock=True)
                check_unfinished(locked)
            except DarkroomError:
                return
            locked.state, locked.outcome = UploadState.ABORTED.value, problem_of(error)
        await delete_parts(self.context, row)


async def delete_parts(context: ApiContext, row: UploadSession) -> None:
    """Delete the bytes of an upload that has ended; what an outage leaves, the sweep deletes."""
    with suppress(Unavailable):
        await context.platform.upload_parts.delete(TenantName(row.tenant), UploadId(row.id))
        return
    log.warning("parts not deleted", upload=row.id)


def without_key(change: Change) -> Change:
    """Return the change without its idempotency key: an upload's own state makes it happen once."""
    return replace(change, idempotent=None)


def _form(row: UploadSession) -> UploadForm:
    return UploadForm.model_validate(row.fields)
