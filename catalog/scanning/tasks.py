"""The job that scans what was uploaded while the scanner was out."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.core.api_errors import ScannerLimitExceeded
from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role
from catalog.jobs.errors import JobFailed
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.ports import Platform, Scanning
from catalog.scanning.service import KIND, apply_answer, lock_scanned
from proxy.core.errors import NotFound
from proxy.core.identifiers import Digest, TenantName, digest_name
from proxy.ports import OpenOriginal, Originals

DEADLINE_S: Final = 300.0


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Register the kind."""
    registry.register(KIND, ScanTask(platform.originals, platform.scanning).run, deadline_s=DEADLINE_S)


@dataclass(frozen=True, slots=True)
class ScanTask:
    """Scans one image, and stores its bytes if they are clean; it may run again at any point."""

    originals: Originals
    scanning: Scanning | None

    async def run(self, job: RunningJob) -> Mapping[str, Any]:
        """Scan the bytes in the quarantine, and let the image be ready or quarantined. Raise JobFailed."""
        if self.scanning is None:
            raise JobFailed("scanner-unavailable", "The installation has no scanner: set DARKROOM_CLAMD.")
        digest, quarantine = digest_name(str(job.parameters["original"])), self.scanning.quarantine
        try:
            waiting = await quarantine.open(job.tenant, digest)
        except NotFound:
            # an earlier attempt, or another job, has finished the work and was killed or came first
            return await self._finish_without_bytes(job)
        with waiting:
            signature = await self._scan(self.scanning, job.tenant, digest, waiting)
        await _finish(job, digest, signature)
        await quarantine.delete(job.tenant, digest)
        return {}

    async def _scan(self, scanning: Scanning, tenant: TenantName, digest: Digest, waiting: OpenOriginal) -> str | None:
        """Return the scanner's answer; what is clean is stored before anybody reads that it is ready."""
        try:
            signature = await scanning.scanner.scan(waiting)
        except ScannerLimitExceeded as error:
            advice = f"{error.detail} The image stays in the quarantine: retry the job then."
            raise JobFailed(error.code, advice, retry=False) from None
        if signature is None:
            os.lseek(waiting.fd, 0, os.SEEK_SET)
            await self.originals.put(tenant, digest, waiting)
        return signature

    async def _finish_without_bytes(self, job: RunningJob) -> Mapping[str, Any]:
        digest = digest_name(str(job.parameters["original"]))
        async with job.transaction() as session:
            image = await lock_scanned(session, job.tenant, str(job.image), digest)
            if image is not None and image.status == "processing":
                raise JobFailed("quarantine-missing", "The quarantine lacks the file: upload it again.", retry=False)
            await job.succeed(session, {"status": None if image is None else image.status})
        return {}


async def _finish(job: RunningJob, digest: Digest, signature: str | None) -> None:
    """Write the answer and the end of the job in one commit."""
    principal = Principal("system:scanner", job.tenant, Role.EDITOR)
    async with job.transaction() as session:
        image = await lock_scanned(session, job.tenant, str(job.image), digest)
        if image is not None:
            await apply_answer(session, principal, Origin(user_agent="darkroom", request=job.id), image, signature)
        await job.succeed(session, {"status": None if image is None else image.status, "signature": signature})
