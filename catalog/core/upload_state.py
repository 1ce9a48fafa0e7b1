"""States of an upload that takes more than one request.

    open ──► received ──► completed
      │          │            │
      └──────────┴────────────┴──► aborted

`open`: bytes are expected. `received`: all bytes are durable, the file is examined. `completed`: it is an image.
`aborted`: the file was refused, or the upload was ended by its client. An upload that has expired is none of these: its
row is deleted.
"""

from enum import Enum
from typing import Final


class UploadState(Enum):
    """State of an upload."""

    OPEN = "open"
    RECEIVED = "received"
    COMPLETED = "completed"
    ABORTED = "aborted"


UNFINISHED: Final = (UploadState.OPEN.value, UploadState.RECEIVED.value)
"""States in which bytes are kept, as columns hold them."""
