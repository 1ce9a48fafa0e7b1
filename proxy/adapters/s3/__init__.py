"""S3, and stores that implement its API: originals, derivatives, resolved references, parts of uploads, and sources."""

from proxy.adapters.s3.client import open_s3
from proxy.adapters.s3.derivatives import S3Derivatives
from proxy.adapters.s3.originals import S3Originals
from proxy.adapters.s3.resolved_references import S3ResolvedReferences
from proxy.adapters.s3.sources import S3Sources
from proxy.adapters.s3.upload_parts import S3UploadParts

__all__ = ["S3Derivatives", "S3Originals", "S3ResolvedReferences", "S3Sources", "S3UploadParts", "open_s3"]
