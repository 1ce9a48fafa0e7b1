"""States of an image, and the transitions between them.

    pending ──► processing ──► ready ◄──► trashed
       │            │  ▲          ▲
       │            │  └─────┐    │ (released by a reviewer)
       └──► rejected ◄───────┼── quarantined

`pending`: bytes are expected. `processing`: bytes are stored, the pipeline runs. `rejected`: refused after storage,
with a reason. `quarantined`: the scanner found something. Deletion for good is not a state: the row is gone.
"""

from enum import Enum


class ImageStatus(Enum):
    """State of an image, as the API spells it."""

    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    TRASHED = "trashed"


_TRANSITIONS: dict[ImageStatus, frozenset[ImageStatus]] = {
    ImageStatus.PENDING: frozenset({ImageStatus.PROCESSING, ImageStatus.REJECTED}),
    ImageStatus.PROCESSING: frozenset(
        {ImageStatus.READY, ImageStatus.REJECTED, ImageStatus.QUARANTINED, ImageStatus.TRASHED}
    ),
    ImageStatus.READY: frozenset({ImageStatus.PROCESSING, ImageStatus.TRASHED, ImageStatus.QUARANTINED}),
    ImageStatus.REJECTED: frozenset({ImageStatus.PROCESSING, ImageStatus.READY, ImageStatus.TRASHED}),
    ImageStatus.QUARANTINED: frozenset({ImageStatus.READY, ImageStatus.REJECTED, ImageStatus.TRASHED}),
    ImageStatus.TRASHED: frozenset({ImageStatus.READY, ImageStatus.REJECTED, ImageStatus.QUARANTINED}),
}

SERVED = frozenset({ImageStatus.PROCESSING, ImageStatus.READY})
"""States in which delivery answers an image's URLs."""


def may_become(before: ImageStatus, after: ImageStatus) -> bool:
    """Return whether the transition is allowed; a state may always stay what it is."""
    return before is after or after in _TRANSITIONS[before]


def is_served(status: ImageStatus) -> bool:
    """Return whether delivery answers the image's URLs in this state."""
    return status in SERVED
