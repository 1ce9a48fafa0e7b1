"""Every refusal the delivery plane can answer, as one tree.

    DarkroomError
    ├── MalformedRequest 400            a path, a query, a length that is not the contract's
    │   └── RecipeError 400      the fault underlined, the right spelling said
    ├── Forbidden 403            seal missing, wrong or expired; tenant unknown (the same body for all)
    ├── SourceNotAllowed 403     a valid seal, and a reference to where the tenant has no source
    ├── NotFound 404             a valid seal, no such original
    │   └── SourceNotFound 404    the referenced source says that there is none
    ├── RouteNotFound 404              a path that is none of ours
    ├── MethodNotAllowed 405
    ├── TargetTooLong 414
    ├── UnsupportedFormat 415          unknown kind, or a kind that is not allowed
    │   └── CorruptImage 415          a picture that does not decode to its end
    ├── LimitExceeded 422            pixels, bytes, frames, output size
    │   └── WorkerCrashed 422        the original killed its worker twice
    ├── HeadersTooLarge 431
    ├── InternalError 500               a fault of ours
    └── Unavailable 503          a needed backend is out
        ├── ServerBusy 503             the queue is full
        ├── DeadlineExceeded 504
        └── SourceFailed 502     the referenced source is out, or answers what cannot be used
            └── SourceTimeout 504   the referenced source is too slow

Each class carries the HTTP status, a stable machine-readable code, and how long an answer may be kept.
Codes are documented in docs/answers.md; a test keeps that table complete.
"""

from typing import ClassVar


class DarkroomError(Exception):
    """A request that gets no picture; `str(refusal)` is the public sentence."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]
    max_age_s: ClassVar[int | None] = 60
    """How long caches may keep the answer; None means `no-store`."""
    retry_after_s: ClassVar[int | None] = None
    detail: str

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def members(self) -> dict[str, str | int]:
        """Extension members of the problem document (RFC 9457 §3.2)."""
        return {}


class MalformedRequest(DarkroomError):
    """The request target is not one this service has ever signed."""

    status = 400
    code = "malformed"
    title = "Malformed request"


class RecipeError(MalformedRequest):
    """A recipe that does not parse: where, why, and what would have been right."""

    code = "recipe"
    title = "Recipe not understood"

    def __init__(self, text: str, start: int, length: int, why: str, right: str | None = None) -> None:
        super().__init__(why)
        self.text = text
        self.start = start
        self.length = max(1, length)
        self.right = right

    @property
    def underlined(self) -> str:
        """The recipe with a line of carets below the fault, cut to a window of 160 characters."""
        window = 160
        first = max(0, min(self.start - window // 2, len(self.text) - window))
        shown = self.text[first : first + window]
        carets = "^" * min(self.length, window)
        return f"{shown}\n{' ' * (self.start - first)}{carets}"[: 2 * window + 1]

    def members(self) -> dict[str, str | int]:
        """Say where the fault is and, where one exists, the right spelling."""
        told: dict[str, str | int] = {"at": self.start, "fault": self.underlined}
        if self.right is not None and len(self.right) <= 320:  # noqa: PLR2004 - keeps the body within 1 KiB
            told["right"] = self.right
        return told


class Forbidden(DarkroomError):
    """One sentence for every cause, so that a guess learns nothing."""

    status = 403
    code = "seal"
    title = "Forbidden"

    def __init__(self) -> None:
        super().__init__("The seal is missing, wrong or expired, or the tenant is unknown.")


class SourceNotAllowed(DarkroomError):
    """The seal is right; the reference leads to where the tenant has no source, or to no public address."""

    status = 403
    code = "source-not-allowed"
    title = "Source not allowed"
    max_age_s = 30


class NotFound(DarkroomError):
    """The seal is right; the original is not there."""

    status = 404
    code = "original-missing"
    title = "No such original"
    max_age_s = 30


class SourceNotFound(NotFound):
    """The referenced source answers that there is nothing."""

    code = "source-missing"
    title = "No such original at the source"


class RouteNotFound(DarkroomError):
    """No picture and no page is at this path."""

    status = 404
    code = "nowhere"
    title = "Nothing here"


class MethodNotAllowed(DarkroomError):
    """Pictures are read; nothing else happens at their URLs."""

    status = 405
    code = "method"
    title = "Method not allowed"


class TargetTooLong(DarkroomError):
    """The request target is longer than any URL this service mints."""

    status = 414
    code = "target-too-long"
    title = "URL too long"


class HeadersTooLarge(DarkroomError):
    """The request's header fields together are larger than any client needs."""

    status = 431
    code = "headers-too-large"
    title = "Header fields too large"


class UnsupportedFormat(DarkroomError):
    """The original's first bytes are of no kind that is allowed here."""

    status = 415
    code = "not-a-picture"
    title = "Unsupported original"


class CorruptImage(UnsupportedFormat):
    """The original begins like a picture and does not decode to its end."""

    code = "damaged"
    title = "Damaged original"


class LimitExceeded(DarkroomError):
    """The sentence holds the number that was exceeded."""

    status = 422
    code = "over-limit"
    title = "Over a limit"

    def __init__(self, detail: str, limit: str | None = None) -> None:
        super().__init__(detail)
        self.limit = limit
        """Which of an original's `Limits` it is, where it is one."""


class WorkerCrashed(LimitExceeded):
    """Two workers in a row died of this original."""

    code = "poisonous"
    title = "Original cannot be rendered"


class InternalError(DarkroomError):
    """Our own fault: logged with its traceback, told without."""

    status = 500
    code = "internal"
    title = "Internal error"
    max_age_s = None

    def __init__(self) -> None:
        super().__init__("An unexpected error was logged under this request id.")


class Unavailable(DarkroomError):
    """A backend this request cannot do without does not answer."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"
    max_age_s = None
    retry_after_s: ClassVar[int | None] = 2


class ServerBusy(Unavailable):
    """Refused at once: waiting would only make the queue longer."""

    code = "busy"
    title = "Busy"
    retry_after_s = 1


class DeadlineExceeded(Unavailable):
    """The picture was not ready within the request's deadline."""

    status = 504
    code = "deadline"
    title = "Deadline passed"
    retry_after_s = None


class SourceFailed(Unavailable):
    """The referenced source does not answer, or answers what cannot be used."""

    status = 502
    code = "source-failed"
    title = "The source failed"
    retry_after_s = None


class SourceTimeout(SourceFailed):
    """The referenced source was not done within its deadline."""

    status = 504
    code = "source-late"
    title = "The source is too slow"
