"""Errors of the management API, on the same tree as those of delivery (`proxy.core.errors`).

    DarkroomError
    ├── InvalidRequest 400        JSON or query that cannot be read
    │   └── InvalidCursor 400     a cursor of another query or tenant, or an old one
    ├── Unauthenticated 401       no token, or a wrong one
    ├── NotPermitted 403          the role or the scopes of the token do not reach
    ├── ResourceNotFound 404      not there, or of another tenant
    ├── RequestTimeout 408        the body came too slowly
    ├── ResourceConflict 409      says with what
    │   └── ImageInUse 409        entities use the image
    ├── PreconditionFailed 412    `If-Match` names another version
    ├── UploadTooLarge 413
    ├── UploadRefused 415         not an image of an accepted kind
    ├── ScannerLimitExceeded 422  the scanner does not take a file of this size
    ├── ValidationFailed 422      a field, told by its JSON pointer
    │   └── RecipeInvalid 422     a field that holds a recipe
    │   └── IdempotencyKeyReused 422
    ├── PreconditionRequired 428  the change needs `If-Match`
    └── RateLimited 429

None of them may be cached; `headers` are sent with the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from proxy.core.errors import DarkroomError, RecipeError


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request."""

    at: str
    """JSON pointer into the body (RFC 6901), or `?name` for a query parameter."""
    code: str
    detail: str


class ApiError(DarkroomError):
    """An error of the management API."""

    max_age_s: ClassVar[int | None] = None

    def headers(self) -> Mapping[str, str]:
        """Return header fields that belong to the answer."""
        return {}


class InvalidRequest(ApiError):
    """The request cannot be read."""

    status = 400
    code = "invalid-request"
    title = "Invalid request"


class InvalidCursor(InvalidRequest):
    """The cursor does not belong to this list."""

    code = "invalid-cursor"
    title = "Invalid cursor"

    def __init__(self) -> None:
        super().__init__("The cursor is not valid for this query: start again without a cursor.")


class Unauthenticated(ApiError):
    """One sentence for every cause, so that a guess learns nothing."""

    status = 401
    code = "unauthenticated"
    title = "Authentication required"

    def __init__(self) -> None:
        super().__init__("The bearer token is missing, wrong, expired or revoked: send Authorization: Bearer TOKEN.")

    def headers(self) -> Mapping[str, str]:
        """Return the challenge (RFC 6750 §3)."""
        return {"www-authenticate": 'Bearer realm="darkroom"'}


class NotPermitted(ApiError):
    """The caller is known and may not do this."""

    status = 403
    code = "not-permitted"
    title = "Not permitted"


class ResourceNotFound(ApiError):
    """There is no such thing, or it belongs to another tenant: the two are never told apart."""

    status = 404
    code = "not-found"
    title = "Not found"


class RequestTimeout(ApiError):
    """The body came too slowly."""

    status = 408
    code = "request-timeout"
    title = "Request timeout"

    def __init__(self, bytes_per_s: int) -> None:
        super().__init__(f"The body came slower than {bytes_per_s} bytes a second: send it again, or in parts.")


class ResourceConflict(ApiError):
    """The change does not fit the present state."""

    status = 409
    code = "conflict"
    title = "Conflict"


class ImageInUse(ResourceConflict):
    """Entities use the image; `entities` are their types and ids."""

    code = "image-in-use"
    title = "Image in use"
    most_listed: ClassVar[int] = 50

    def __init__(self, entities: Sequence[tuple[str, str]]) -> None:
        first_type, first_id = entities[0]
        others = f" and {len(entities) - 1} more" if entities[1:] else ""
        super().__init__(f"The image is used by {first_type}/{first_id}{others}: unlink it, or repeat with force=true.")
        self.entities = tuple(entities)

    def members(self) -> dict[str, object]:
        """Return how many entities use the image, and the first 50 of them."""
        listed = [{"type": type_, "id": id_} for type_, id_ in self.entities[: self.most_listed]]
        return {"entities": listed, "entities_total": len(self.entities)}


class PreconditionFailed(ApiError):
    """`If-Match` names another version than the present one."""

    status = 412
    code = "precondition-failed"
    title = "Changed meanwhile"

    def __init__(self, etag: str) -> None:
        super().__init__("It was changed meanwhile: read it again, and repeat the change with its new ETag.")
        self.etag = etag

    def headers(self) -> Mapping[str, str]:
        """Return the present entity tag."""
        return {"etag": self.etag}


class UploadTooLarge(ApiError):
    """More bytes than the limit."""

    status = 413
    code = "too-large"
    title = "Too many bytes"


class UploadRefused(ApiError):
    """The upload rules refuse the file; `reason` is the violation's own code."""

    status = 415
    code = "upload-refused"
    title = "File refused"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

    def members(self) -> dict[str, str | int]:
        """Return the violation's code."""
        return {"reason": self.reason}


class ScannerLimitExceeded(ApiError):
    """The scanner does not take a file of this size, so nobody can say whether it is clean."""

    status = 422
    code = "scanner-limit"
    title = "Too large for the scanner"

    def __init__(self) -> None:
        super().__init__("The scanner does not take files of this size: send a smaller one, or raise its limit.")


class ValidationFailed(ApiError):
    """Fields of the request are not valid."""

    status = 422
    code = "validation"
    title = "Validation failed"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(
            "; ".join(f"{error.at}: {error.detail}" if error.at else error.detail for error in errors)[:1_000]
        )
        self.errors = tuple(errors)


class RecipeInvalid(ValidationFailed):
    """A field holds a recipe that is invalid or in another spelling than the canonical one; the fault is underlined."""

    def __init__(self, at: str, error: RecipeError) -> None:
        super().__init__([FieldError(at, "recipe", error.detail)])
        self._members = {name: value for name, value in error.members().items() if name != "at"}

    def members(self) -> dict[str, str | int]:
        """Return the recipe with its fault underlined and, for a valid recipe, its canonical form."""
        return self._members


class IdempotencyKeyReused(ApiError):
    """The key was used for another request."""

    status = 422
    code = "idempotency-key-reused"
    title = "Idempotency key reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was sent with another request: use a new key for each change.")


class IdempotencyKeyInUse(ApiError):
    """The first request with the key has not been answered yet."""

    status = 409
    code = "idempotency-key-in-use"
    title = "Request under way"

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is under way: repeat it shortly.")

    def headers(self) -> Mapping[str, str]:
        """Return when to try again."""
        return {"retry-after": "1"}


class PreconditionRequired(ApiError):
    """The change needs `If-Match`."""

    status = 428
    code = "precondition-required"
    title = "If-Match required"

    def __init__(self) -> None:
        super().__init__("Send If-Match with the ETag that you read, so that no change of others is lost.")


class RateLimited(ApiError):
    """Too many requests of one class in the window."""

    status = 429
    code = "rate-limited"
    title = "Too many requests"

    def __init__(self, policy: str, retry_after_s: int, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(f"Too many {policy} requests: try again in {retry_after_s} s.")
        self.wait_s = retry_after_s
        self.fields = fields or {}

    def headers(self) -> Mapping[str, str]:
        """Return when to try again, and the quota."""
        return {"retry-after": str(self.wait_s), **self.fields}
