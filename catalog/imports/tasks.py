"""The job that imports an image from an address: fetch, take in as any upload, record exactly once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role
from catalog.core.upload_rules import Candidate
from catalog.imports.service import KIND, ImportOrder, name_of
from catalog.jobs.errors import JobFailed
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform
from catalog.tenants.tenant_repository import find_signer
from catalog.uploads.form import upload_fields
from catalog.uploads.intake import AcceptedFile, Intake, intake_of
from catalog.uploads.recording import record_upload
from catalog.uploads.schemas import UploadForm
from proxy.core.errors import DarkroomError, SourceTimeout
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.delivery.staging import StagedFile

FETCH_S: Final = 60.0
"""How long a source may take for one file. Nobody waits for the answer, so it is more than delivery allows."""
DEADLINE_S: Final = 300.0
_SERVER_ERROR: Final = 500


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Register the kind."""
    registry.register(KIND, ImportTask(platform, intake_of(platform)).run, deadline_s=DEADLINE_S)


@dataclass(frozen=True, slots=True)
class ImportTask:
    """Imports one image; what an attempt leaves behind is at most an original without a record."""

    platform: Platform
    intake: Intake
    fetch_s: float = FETCH_S

    async def run(self, job: RunningJob) -> Mapping[str, Any]:
        """Import the image; the job's result is its id, and whether it was here already.

        Raise JobFailed for what another attempt would not change; everything else is tried again.
        """
        try:
            await self._import(job)
        except DarkroomError as error:
            if error.status < _SERVER_ERROR:
                raise JobFailed(error.code, error.detail, retry=False) from error
            raise
        return {}

    async def _import(self, job: RunningJob) -> None:
        order = ImportOrder.from_parameters(job.parameters, self.platform.database.cipher)
        fields = UploadForm.model_validate(order.fields)
        tenant = await find_signer(self.platform.database, job.tenant)
        file = await self._fetch(job, order, tenant.sources, fields)
        # the role was checked when the import was asked for; what happens now was asked for then
        principal, origin = Principal(job.created_by, job.tenant, Role.CONTRIBUTOR), Origin(request=job.id)
        async with job.transaction() as session:
            recorded = await record_upload(session, principal, origin, file, upload_fields(fields))
            await job.succeed(session, {"image": recorded.image.id, "duplicate": not recorded.created})

    async def _fetch(
        self, job: RunningJob, order: ImportOrder, sources: tuple[Source, ...], fields: UploadForm
    ) -> AcceptedFile:
        rules = await self.intake.rules_of(job.tenant)
        fetch = self.platform.sources[order.reference.scheme].fetch
        with StagedFile(rules.staging_bytes) as staged:
            try:
                async with asyncio.timeout(self.fetch_s):
                    await fetch(order.reference, sources, Validators(), staged)
            except TimeoutError:
                raise SourceTimeout(f"The source did not answer within {self.fetch_s:g} seconds.") from None
            await job.heartbeat()
            file = await self.intake.accept(job.tenant, rules, staged, Candidate(), fields.entity_type)
        return replace(file, file_name=name_of(order.reference, file.examination.facts.format))
