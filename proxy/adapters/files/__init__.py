"""Files on a local disk: originals, derivatives, resolved references and parts of uploads."""

from proxy.adapters.files.derivatives import FileDerivatives
from proxy.adapters.files.originals import FileOriginals
from proxy.adapters.files.resolved_references import FileResolvedReferences
from proxy.adapters.files.upload_parts import FileUploadParts

__all__ = ["FileDerivatives", "FileOriginals", "FileResolvedReferences", "FileUploadParts"]
