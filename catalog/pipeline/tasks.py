"""The job after an upload: optimised version and eager presets."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import structlog

from catalog.core.origin import Origin
from catalog.core.roles import Principal, Role
from catalog.jobs.errors import JobFailed
from catalog.jobs.registry import HandlerRegistry
from catalog.jobs.running_job import RunningJob
from catalog.pipeline.outcome import Outcome, Subject
from catalog.pipeline.rendering import render_parts
from catalog.pipeline.service import KIND, find_subject, record_outcome
from catalog.ports import Platform
from catalog.tenants.rules import rules_of_tenant
from catalog.tenants.tenant_repository import find_signer

log = structlog.get_logger("darkroom.pipeline")

DEADLINE_S: Final = 600.0
"""Of one attempt: up to three candidates, and 16 presets for three classes of clients."""
_OVERTAKEN: Final = {"skipped": "The image was deleted, trashed or replaced."}


def register(registry: HandlerRegistry, platform: Platform) -> None:
    """Add the pipeline's kind of job."""

    async def handle(job: RunningJob) -> Mapping[str, Any]:
        return await process(platform, job)

    registry.register(KIND, handle, deadline_s=DEADLINE_S)


async def process(platform: Platform, job: RunningJob) -> Mapping[str, Any]:
    """Render the parts, then write the outcome and the end of the job in one transaction.

    Parts that failed for a time are written as failed too, and the job runs again: raise JobFailed.
    """
    async with platform.database.reading() as session:
        subject = await find_subject(session, job.tenant, job.image)
    wanted = (job.parameters.get("number"), job.parameters.get("original"))
    if subject is None or (subject.number, subject.original) != wanted:
        return _OVERTAKEN
    rules = await rules_of_tenant(platform.database, job.tenant)
    tenant = await find_signer(platform.database, job.tenant)
    outcome = await render_parts(platform.renderer, subject, rules, tenant, job.progress)
    return await _finish(job, subject, outcome)


async def _finish(job: RunningJob, subject: Subject, outcome: Outcome) -> Mapping[str, Any]:
    system, origin = Principal("system", job.tenant, Role.OPERATOR), Origin(request=job.id)
    result = _result(outcome)
    async with job.transaction() as session:
        if not await record_outcome(session, subject, outcome, system, origin):
            result = _OVERTAKEN
        if result is _OVERTAKEN or outcome.temporary is None:
            await job.succeed(session, result)
    for failure in outcome.failures:
        log.warning(
            "part of the pipeline failed", job=job.id, tenant=job.tenant, image=subject.image,
            part=failure.part, code=failure.code, reason=failure.detail, temporary=failure.temporary,
        )  # fmt: skip
    if result is not _OVERTAKEN and (temporary := outcome.temporary) is not None:
        raise JobFailed(temporary.code, f"{temporary.part}: {temporary.detail}")
    return result


def _result(outcome: Outcome) -> dict[str, Any]:
    best = outcome.optimized
    return {
        "optimized": None if best is None else asdict(best),
        "presets": outcome.presets,
        "failed": [
            {"part": failure.part, "code": failure.code, "detail": failure.detail} for failure in outcome.failures
        ],
    }
