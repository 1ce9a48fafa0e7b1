"""Imports: an address becomes a job, if it is within the tenant's sources.

The query of an address may hold a secret, such as a signature. So jobs and the audit trail show the address without it,
and the job has it encrypted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.audit.service import REDACTED, record
from catalog.core.api_errors import FieldError, ResourceNotFound, ValidationFailed
from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.core.upload_rules import DANGEROUS_EXTENSIONS, EXTENSIONS, extensions_of
from catalog.jobs.enqueue import enqueue
from catalog.records.collection import Collection
from catalog.records.encryption import SecretCipher
from catalog.records.job import Job
from proxy.core.errors import MalformedRequest, SourceNotAllowed
from proxy.core.identifiers import TenantName
from proxy.core.media.formats import Format
from proxy.core.url.source import Source
from proxy.core.url.source_reference import Reference, find_source, follow, parse_reference

KIND: Final = "image.import"
_ANYWHERE: Final = Reference("https", "localhost", "/")
"""What an address is read against; a whole one has nothing of it."""


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What an import job has as its parameters."""

    reference: Reference
    fields: Mapping[str, Any]

    def to_parameters(self, cipher: SecretCipher) -> dict[str, Any]:
        """Return the parameters; the query is encrypted."""
        parameters: dict[str, Any] = {"url": public_url(self.reference), "fields": dict(self.fields)}
        if self.reference.query:
            parameters["query"] = cipher.encrypt(self.reference.query)
        return parameters

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], cipher: SecretCipher) -> "ImportOrder":
        """Return what `to_parameters` was called on. Raise SecretsUnreadable without the right key."""
        url = str(parameters["url"])
        if "query" in parameters:
            url = url.removesuffix(f"?{REDACTED}") + cipher.decrypt(parameters["query"])
        return cls(parse_reference(url), parameters["fields"])


def read_address(text: str, sources: Sequence[Source]) -> Reference:
    """Return the canonical reference of an address. Raise ValidationFailed if it is invalid or within no source."""
    try:
        reference = _read(text)
    except MalformedRequest as error:
        raise ValidationFailed([FieldError("/url", "url", error.detail)]) from None
    try:
        find_source(sources, reference)
    except SourceNotAllowed:
        origin = f"{reference.scheme}://{reference.authority}"
        detail = (
            f"No source of the tenant allows {origin} with this path. An admin adds one with POST /api/sources, or "
            f"darkroom source add TENANT {origin}/…"
        )
        raise ValidationFailed([FieldError("/url", "source-not-allowed", detail)]) from None
    return reference


async def find_collection_id(session: AsyncSession, tenant: TenantName, text: str) -> str:
    """Return the id of the collection with this id or name. Raise ResourceNotFound if there is none."""
    query = select(Collection.id).where(
        Collection.tenant == tenant, or_(col(Collection.id) == text, col(Collection.name) == text)
    )
    found = (await session.scalars(query.limit(1))).one_or_none()
    if found is None:
        raise ResourceNotFound(f"There is no collection {text}: create it over the API first.")
    return found


def public_url(reference: Reference) -> str:
    """Return the address without what its query says."""
    return f"{reference.place}?{REDACTED}" if reference.query else reference.place


async def enqueue_import(
    session: AsyncSession, cipher: SecretCipher, principal: Principal, origin: Origin, order: ImportOrder
) -> Job:
    """Queue the import of an image."""
    parameters = order.to_parameters(cipher)
    job = await enqueue(session, principal, KIND, parameters, Priority.PERSON)
    await record(session, principal, origin, "import.requested", ("job", job.id), after={"url": parameters["url"]})
    return job


def name_of(reference: Reference, image_format: Format) -> str:
    """Return a file name for an image from an address: the last part of its path, with an extension of the format.

    An address is not a file: `/image.php` and `/chair.jpg` may both answer with WebP.
    """
    last = reference.path.rpartition("/")[2]
    name = unquote(last) if reference.scheme != "s3" else last
    extensions, known = extensions_of(name), EXTENSIONS[image_format.name]
    stem = name.partition(".")[0].strip()
    if stem and extensions and extensions[-1] in known and not DANGEROUS_EXTENSIONS.intersection(extensions):
        return name
    return f"{stem or 'image'}.{image_format.name}"


def _read(text: str) -> Reference:
    if text.startswith("s3://"):
        return parse_reference(text)
    if not text.startswith(("https://", "http://")):
        raise MalformedRequest("The address must be https://host/path, http://host/path or s3://bucket/key.")
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise MalformedRequest("The address has a user name or a password: add them to the source as credentials.")
    reference = follow(_ANYWHERE, text)
    if not reference.path.strip("/"):
        raise MalformedRequest("The address has no path: specify that of an image.")
    return reference
