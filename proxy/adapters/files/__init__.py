"""Files on a local disk: originals, derivatives and resolved references."""

from proxy.adapters.files.derivatives import FileDerivatives
from proxy.adapters.files.originals import FileOriginals
from proxy.adapters.files.resolved_references import FileResolvedReferences

__all__ = ["FileDerivatives", "FileOriginals", "FileResolvedReferences"]
