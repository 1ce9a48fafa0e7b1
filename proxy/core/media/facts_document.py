"""The output format `json`: a document with the facts of an original."""

import json

from proxy.core.identifiers import Digest
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JSON


def describe(original: Digest, facts: Facts, size_bytes: int) -> Derivative:
    """Return a JSON document about an original: its upright size in pixels, the size of its file in bytes, and more."""
    document = {
        "original": original,
        "bytes": size_bytes,
        "format": facts.format.name,
        "media_type": facts.format.media_type,
        "width": facts.upright.width,
        "height": facts.upright.height,
        "orientation": facts.orientation,
        "frames": facts.frames,
        "alpha": facts.alpha,
        "icc": facts.icc,
    }
    body = json.dumps(document, separators=(",", ":")).encode()
    return Derivative(body, JSON, facts.upright.width, facts.upright.height)
