"""The answer to `json`: an original's facts."""

import json

from proxy.core.identifiers import Digest
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JSON


def describe(original: Digest, facts: Facts, size_bytes: int) -> Derivative:
    """Tell what an original is: sides in pixels as a viewer sees it, bytes of the file as it was uploaded."""
    told = {
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
    return Derivative(json.dumps(told, separators=(",", ":")).encode(), JSON, facts.upright.width, facts.upright.height)
