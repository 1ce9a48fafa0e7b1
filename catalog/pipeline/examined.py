"""The columns of an image that an examination of its original fills."""

from datetime import datetime
from typing import Any

from proxy.core.media.examination import Examination
from proxy.core.media.perceptual_hash import bands


def examined_columns(examination: Examination, *, keep_location: bool) -> dict[str, Any]:
    """Return all columns that only the pixels and the metadata tell; None where they do not."""
    details, quality = examination.details, examination.quality
    located = keep_location and details is not None and details.latitude is not None and details.longitude is not None
    taken_at = None if details is None or details.taken_at is None else datetime.fromisoformat(details.taken_at)
    hash_bands = (None,) * 4 if examination.phash is None else bands(examination.phash)
    names = ("sharpness", "exposure", "contrast", "resolution", "noise")
    return {
        "taken_at": taken_at,
        "camera": None if details is None else details.camera,
        "copyright": None if details is None else details.copyright,
        "location": {"latitude": details.latitude, "longitude": details.longitude} if details and located else None,
        "thumbhash": examination.thumbhash,
        "color": examination.color,
        "colors": list(examination.colors),
        "phash": examination.phash,
        **{f"phash_{number}": band for number, band in enumerate(hash_bands)},
        "quality": None if quality is None else {name: getattr(quality, name) for name in names},
        "quality_score": None if quality is None else quality.score,
    }


def fact_columns(examination: Examination) -> dict[str, Any]:
    """Return the columns that the header tells; sides are upright."""
    facts, size = examination.facts, examination.facts.upright
    return {
        "media_type": facts.format.media_type,
        "width": size.width,
        "height": size.height,
        "frames": facts.frames,
        "has_alpha": facts.alpha,
        "orientation": facts.orientation,
    }
