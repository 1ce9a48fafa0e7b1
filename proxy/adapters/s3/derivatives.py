"""Derivatives in S3, or in a store that implements its API: `{prefix}/derivatives/{key}`.

The body is the object, so a CDN may serve it as it is; everything else is its metadata, among it a digest over key,
labels and body.
"""

import io
from typing import TYPE_CHECKING

from proxy.adapters import offload
from proxy.adapters.s3.bucket import Bucket, joined
from proxy.adapters.serialization import metadata_digest
from proxy.core.identifiers import (
    DerivativeKey,
    Digest,
    TenantName,
    derivative_key,
    digest_name,
    split_derivative_key,
    tenant_name,
)
from proxy.core.media.derivative import Derivative
from proxy.ports import Deleted

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef


class S3Derivatives:
    """Derivatives in a bucket, each at most `max_bytes`."""

    name = "s3"

    def __init__(self, client: "S3Client", bucket: str, prefix: str, max_bytes: int) -> None:
        self._bucket = Bucket(client, bucket, joined(prefix, "derivatives"))
        self._max_bytes = max_bytes

    async def get(self, key: DerivativeKey) -> Derivative | None:
        """Return what was put. A damaged object is deleted, so that a whole one can take its place."""
        name = derivative_key(key)
        async with self._bucket.call():
            response = await self._bucket.look_up(name)
            if response is None:
                return None
            derivative = await self._receive(key, response)
            if derivative is None:
                await self._bucket.delete(name)
            return derivative

    async def put(self, key: DerivativeKey, derivative: Derivative) -> None:
        """Store a derivative unless there is one. Decline one that is too large."""
        if len(derivative.body) > self._max_bytes:
            return
        parts, labels = split_derivative_key(key), derivative.labels()
        digest = await offload.digest(derivative.body)
        extra = {
            "digest": metadata_digest(key, labels, digest),
            "cache-tag": f"a-{parts.tenant}-{parts.original}, t-{parts.tenant}",
        }
        async with self._bucket.call():
            await self._bucket.put(
                key,
                io.BytesIO(derivative.body),
                digest=digest,
                media_type=derivative.format.media_type,
                labels=labels | extra,
            )

    async def purge(self, tenant: TenantName, original: Digest | None = None) -> int:
        """Delete the derivatives of a tenant, or of one of its originals."""
        folders = await self._folders_of(tenant_name(tenant), original and digest_name(original))
        return sum([(await self.delete_folder(folder)).count for folder in folders])

    async def list_folders(self, prefix: str = "") -> list[str]:
        """See `DerivativeStore`."""
        names: list[str] = []
        while True:
            async with self._bucket.call():
                page = await self._bucket.list_folders(prefix, after=names[-1] if names else "")
            names += page
            if not page:
                return names

    async def delete_folder(self, prefix: str, *, dry_run: bool = False) -> Deleted:
        """See `DerivativeStore`; one listing and one DeleteObjects per thousand objects."""
        count = size_bytes = 0
        last = ""
        while True:
            async with self._bucket.call():
                page = await self._bucket.list_objects(prefix, after=last)
            if not page:
                return Deleted(count, size_bytes)
            names = [name for name, _ in page]
            if not dry_run:
                async with self._bucket.call():
                    await self._bucket.delete_batch(names)
            count, size_bytes, last = count + len(page), size_bytes + sum(size for _, size in page), names[-1]

    async def ping(self) -> None:
        """Return if the bucket answers."""
        await self._bucket.ping()

    async def _folders_of(self, tenant: TenantName, original: Digest | None) -> list[str]:
        """Return the folders of a tenant, or those of an original in each renderer version and cache epoch."""
        tenants = [f"{version}/{tenant}" for version in await self.list_folders()]
        if original is None:
            return tenants
        return [
            f"{folder}/{epoch}/{original[:2]}/{original}"
            for folder in tenants
            for epoch in await self.list_folders(folder)
        ]

    async def _receive(self, key: DerivativeKey, response: "GetObjectOutputTypeDef") -> Derivative | None:
        if response["ContentLength"] > self._max_bytes:
            return None
        stream = response["Body"]
        async with stream:
            body = await stream.read()
        metadata = response["Metadata"]
        try:
            derivative = Derivative.read(body, metadata)
        except ValueError:
            return None
        expected = metadata_digest(key, derivative.labels(), await offload.digest(body))
        return derivative if metadata.get("digest") == expected else None
