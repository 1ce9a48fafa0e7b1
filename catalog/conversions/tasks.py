"""The job of a conversion: rendered as delivery does it, and taken in as an upload where it becomes an image."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from catalog.conversions.service import KIND
from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role
from catalog.core.upload_rules import Candidate
from catalog.images.service import check_served, describe, find_image
from catalog.images.url_builder import build_url, read_path
from catalog.jobs.errors import JobFailed
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform
from catalog.tenants.tenant_repository import find_signer
from catalog.uploads.intake import AcceptedFile, intake_of
from catalog.uploads.recording import UploadFields, record_upload
from proxy.core.errors import DarkroomError
from proxy.core.media.derivative import Derivative
from proxy.core.url.link import Link
from proxy.delivery.staging import StagedFile

DEADLINE_S = 300.0
_SERVER_ERROR = 500
_EXTENSIONS = {"jpeg": "jpg", "tiff": "tif"}


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Add the kind of conversions."""
    registry.register(KIND, ConversionHandler(platform).handle, deadline_s=DEADLINE_S)


@dataclass(frozen=True, slots=True)
class ConversionHandler:
    """Does conversions."""

    platform: Platform

    async def handle(self, job: RunningJob) -> Mapping[str, Any]:
        """Render the image and keep what was asked for. Raise JobFailed where another attempt would not help."""
        try:
            file_name = await self._find_file_name(job)
            link = read_path(f"/t/{job.tenant}/{job.parameters['original']}/{job.parameters['recipe']}")
            derivative = await self.platform.renderer.render(link)
            if job.parameters["keep"] == "image":
                return await self._keep_image(job, derivative, file_name)
            return await self._result(job, link, derivative)
        except DarkroomError as error:
            raise JobFailed(error.code, error.detail, retry=error.status >= _SERVER_ERROR) from error

    async def _find_file_name(self, job: RunningJob) -> str:
        """Return the name of the image's file. Raise ResourceNotFound, or ResourceConflict if it is not served."""
        async with self.platform.database.reading() as session:
            image = await find_image(session, job.tenant, job.image or "")
            check_served(image)
            return image.file_name or image.original[:16]

    async def _result(self, job: RunningJob, link: Link, derivative: Derivative) -> Mapping[str, Any]:
        """Return what is kept of a derivative: its signed URL. The bytes are in the derivative tiers."""
        signer = await find_signer(self.platform.database, job.tenant)
        return {"url": build_url(self.platform.settings.base_url, signer, link), **_measures(derivative)}

    async def _keep_image(self, job: RunningJob, derivative: Derivative, file_name: str) -> Mapping[str, Any]:
        """Take a derivative in as an image, exactly once: the record and the end of the job are one commit."""
        file = await self._take_in(job, derivative, file_name)
        principal = Principal(job.created_by, job.tenant, Role.EDITOR)
        async with job.transaction() as session:
            image = await find_image(session, job.tenant, job.image or "")
            check_served(image)
            x, y = job.parameters["focus"]
            description = replace(await describe(session, image), focus=(x, y))
            fields = UploadFields(description, collection=image.collection)
            recorded = await record_upload(session, principal, Origin(request=job.id), file, fields)
            result = {"image": recorded.image.id, "created": recorded.created, **_measures(derivative)}
            await job.succeed(session, result)
        return result

    async def _take_in(self, job: RunningJob, derivative: Derivative, file_name: str) -> AcceptedFile:
        intake = intake_of(self.platform)
        rules = await intake.rules_of(job.tenant)
        with StagedFile(rules.limits.source_bytes) as staged:
            await staged.append(derivative.body)
            candidate = Candidate(_renamed(file_name, derivative), derivative.format.media_type)
            return await intake.accept(job.tenant, rules, staged, candidate, None)


def _measures(derivative: Derivative) -> Mapping[str, Any]:
    return {
        "media_type": derivative.format.media_type,
        "size_bytes": len(derivative.body),
        "width": derivative.width,
        "height": derivative.height,
    }


def _renamed(file_name: str, derivative: Derivative) -> str:
    """Return a file name with the extension of the new format; what was before the last dot stays."""
    stem, _, _ = file_name.rpartition(".")
    name = derivative.format.name
    return f"{(stem or file_name)[:200]}.{_EXTENSIONS.get(name, name)}"
