"""The errors that the delivery plane answers with, as one class tree.

    DarkroomError
    ├── MalformedRequest 400     the path or the query is not a valid request target
    │   └── RecipeError 400      the recipe is invalid or not in its canonical form
    ├── Forbidden 403            the seal is missing, wrong or expired, or the tenant is unknown
    ├── SourceNotAllowed 403     the reference is outside the tenant's sources
    ├── NotFound 404             the original does not exist
    │   ├── OriginalWithdrawn 404  the original's image is in the trash or was deleted for good
    │   └── SourceNotFound 404   the referenced source reports that the original does not exist
    ├── RouteNotFound 404        the path is not a route of this server
    ├── MethodNotAllowed 405     the method is not GET, HEAD or OPTIONS
    ├── TargetTooLong 414        the request target exceeds the length limit
    ├── UnsupportedFormat 415    the original's format is unknown or disabled
    │   └── CorruptImage 415     the original cannot be decoded completely
    ├── LimitExceeded 422        a limit on pixels, bytes, frames or output size is exceeded
    │   └── WorkerCrashed 422    the original crashed two workers
    ├── HeadersTooLarge 431      the header fields exceed the size limit
    ├── InternalError 500        an unexpected error
    └── Unavailable 503          a required backend does not answer
        ├── ServerBusy 503       the admission queue is full
        ├── WorkerKilled 503     the kernel killed the worker
        ├── DeadlineExceeded 504 the deadline of the request has passed
        └── SourceFailed 502     the referenced source does not return a usable answer
            └── SourceTimeout 504  the referenced source exceeds its deadline

Each class defines the HTTP status, a stable machine-readable code, and how long caches may store the response.
The codes are documented in docs/answers.md; a test keeps that table complete.
"""

from collections.abc import Mapping
from typing import ClassVar


class DarkroomError(Exception):
    """Base class of all errors that are reported to clients; `str(error)` is the public message."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    max_age_s: ClassVar[int | None] = 60
    """How long caches may store the response, in seconds; None means `no-store`."""
    retry_after_s: ClassVar[int | None] = None
    """Value of the Retry-After header, in seconds; None omits the header."""
    detail: str

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def members(self) -> Mapping[str, object]:
        """Return the extension members of the problem document (RFC 9457 §3.2)."""
        return {}


class MalformedRequest(DarkroomError):
    """The request target does not have the shape of a Darkroom URL."""

    status = 400
    code = "malformed"
    title = "Malformed request"


class RecipeError(MalformedRequest):
    """The recipe cannot be parsed, or is not in its canonical form.

    `start` and `length` locate the fault within `text`, in characters. `reason` is the public message. `right` is the
    canonical form of the recipe, or None if the recipe is invalid.
    """

    code = "recipe"
    title = "Recipe not understood"

    def __init__(self, text: str, start: int, length: int, reason: str, right: str | None = None) -> None:
        super().__init__(reason)
        self.text = text
        self.start = start
        self.length = max(1, length)
        self.right = right

    @property
    def underlined(self) -> str:
        """The recipe and, in a second line, carets below the fault; at most 160 characters of the recipe."""
        width = 160
        first = max(0, min(self.start - width // 2, len(self.text) - width))
        excerpt = self.text[first : first + width]
        carets = "^" * min(self.length, width)
        return f"{excerpt}\n{' ' * (self.start - first)}{carets}"[: 2 * width + 1]

    def members(self) -> dict[str, str | int]:
        """Return the location of the fault and, for a valid recipe, its canonical form."""
        members: dict[str, str | int] = {"at": self.start, "fault": self.underlined}
        if self.right is not None and len(self.right) <= 320:  # noqa: PLR2004 - keeps the body within 1 KiB
            members["right"] = self.right
        return members


class Forbidden(DarkroomError):
    """The request is not authorized. All causes share one message, so that the response reveals nothing."""

    status = 403
    code = "seal"
    title = "Forbidden"

    def __init__(self) -> None:
        super().__init__("The seal is missing, wrong or expired, or the tenant is unknown.")


class SourceNotAllowed(DarkroomError):
    """The seal is valid, but the reference is outside the tenant's sources or does not lead to a public address."""

    status = 403
    code = "source-not-allowed"
    title = "Source not allowed"
    max_age_s = 30


class NotFound(DarkroomError):
    """The seal is valid, but the original does not exist."""

    status = 404
    code = "original-missing"
    title = "No such original"
    max_age_s = 30


class OriginalWithdrawn(NotFound):
    """The seal is valid, and the image that stands on the original is in the trash or was deleted for good.

    Caches keep it for two seconds: an image that is restored is to be seen within five.
    """

    code = "original-withdrawn"
    title = "Image withdrawn"
    max_age_s = 2


class SourceNotFound(NotFound):
    """The seal is valid, but the referenced source reports that the original does not exist."""

    code = "source-missing"
    title = "No such original at the source"


class RouteNotFound(DarkroomError):
    """The path is not a route of this server."""

    status = 404
    code = "nowhere"
    title = "Nothing here"


class MethodNotAllowed(DarkroomError):
    """The method is not supported at the URL of a picture."""

    status = 405
    code = "method"
    title = "Method not allowed"


class TargetTooLong(DarkroomError):
    """The request target exceeds the length limit."""

    status = 414
    code = "target-too-long"
    title = "URL too long"


class HeadersTooLarge(DarkroomError):
    """The header fields of the request exceed the size limit."""

    status = 431
    code = "headers-too-large"
    title = "Header fields too large"


class UnsupportedFormat(DarkroomError):
    """The first bytes of the original do not belong to an enabled format."""

    status = 415
    code = "not-a-picture"
    title = "Unsupported original"


class CorruptImage(UnsupportedFormat):
    """The original has a supported format but cannot be decoded completely."""

    code = "damaged"
    title = "Damaged original"


class LimitExceeded(DarkroomError):
    """A limit is exceeded; the message contains the number and the limit."""

    status = 422
    code = "over-limit"
    title = "Over a limit"

    def __init__(self, detail: str, limit: str | None = None) -> None:
        super().__init__(detail)
        self.limit = limit
        """Name of the field of `Limits` that is exceeded, if the error depends on the original alone."""


class WorkerCrashed(LimitExceeded):
    """The original crashed two workers in a row."""

    code = "poisonous"
    title = "Original cannot be rendered"


class InternalError(DarkroomError):
    """An unexpected error. The traceback is logged and not part of the response."""

    status = 500
    code = "internal"
    title = "Internal error"
    max_age_s = None

    def __init__(self) -> None:
        super().__init__("An unexpected error was logged under this request id.")


class Unavailable(DarkroomError):
    """A backend that the request requires does not answer."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"
    max_age_s = None
    retry_after_s: ClassVar[int | None] = 2


class ServerBusy(Unavailable):
    """The admission queue is full: the request is rejected immediately instead of waiting."""

    code = "busy"
    title = "Busy"
    retry_after_s = 1


class WorkerKilled(Unavailable):
    """The kernel or an operator killed the worker (SIGKILL): usually the machine, not the original, is to blame."""

    code = "worker-killed"
    title = "Worker killed"


class DeadlineExceeded(Unavailable):
    """The picture was not ready before the deadline of the request."""

    status = 504
    code = "deadline"
    title = "Deadline passed"
    retry_after_s = None


class SourceFailed(Unavailable):
    """The referenced source does not answer, or its answer cannot be used."""

    status = 502
    code = "source-failed"
    title = "The source failed"
    retry_after_s = None


class SourceTimeout(SourceFailed):
    """The referenced source did not complete its answer before its deadline."""

    status = 504
    code = "source-late"
    title = "The source is too slow"
