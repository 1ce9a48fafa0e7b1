"""Resolved references in S3: `{prefix}/references/{tenant}/{SHA-256 of the reference}`, small objects that change."""

from typing import TYPE_CHECKING

from proxy.adapters.s3.bucket import Bucket, joined
from proxy.core.identifiers import TenantName, tenant_name
from proxy.core.url.resolved_reference import ResolvedReference
from proxy.core.url.source_reference import Reference

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

_MAX_BYTES = 4_096


class S3ResolvedReferences:
    """Resolved references in a bucket."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        self._bucket = Bucket(client, bucket, joined(prefix, "references"))

    async def get(self, tenant: TenantName, reference: Reference) -> ResolvedReference | None:
        """Return what was put last; None if there is nothing, or if the object is damaged."""
        async with self._bucket.call():
            response = await self._bucket.look_up(_name(tenant, reference))
            if response is None or response["ContentLength"] > _MAX_BYTES:
                return None
            stream = response["Body"]
            async with stream:
                content = await stream.read()
        try:
            return ResolvedReference.unpack(content)
        except ValueError:
            return None

    async def put(self, tenant: TenantName, reference: Reference, resolved: ResolvedReference) -> None:
        """Store a resolved reference in the place of the one before."""
        async with self._bucket.call():
            await self._bucket.put_mutable(_name(tenant, reference), resolved.pack())


def _name(tenant: TenantName, reference: Reference) -> str:
    return f"{tenant_name(tenant)}/{reference.fingerprint}"
