"""Errors of uploads that take more than one request.

ApiError
├── UploadNotFound 404        an upload that has ended or expired, where the protocol does not tell it apart
├── OffsetConflict 409        the bytes do not continue what is stored
├── UploadGone 410            the upload has ended or expired (tus)
├── UnsupportedVersion 412    of tus
├── WrongMediaType 415        the body is not declared as bytes of an upload
├── TooManyUploads 429        the tenant has too many uploads under way
├── ChecksumMismatch 460      the bytes arrived damaged (tus)
└── InsufficientStorage 507   there is no room for the announced bytes
"""

from collections.abc import Mapping
from typing import Any, Final

from catalog.core.api_errors import ApiError, FieldError, ResourceConflict, ResourceNotFound, ValidationFailed
from proxy.core.errors import DarkroomError

TUS_VERSION: Final = "1.0.0"
OFFSET_MEDIA_TYPE: Final = "application/offset+octet-stream"


class UploadNotFound(ResourceNotFound):
    """There is no such upload, or no longer."""

    def __init__(self) -> None:
        super().__init__("There is no such upload, or it has ended: create a new one.")


class OffsetConflict(ResourceConflict):
    """The bytes do not begin where the stored ones end."""

    code = "offset-conflict"
    title = "Another offset"

    def __init__(self, offset: int | None = None) -> None:
        self.offset = offset
        known = "" if offset is None else f" The next byte is {offset}."
        super().__init__(
            f"The bytes do not continue what is stored.{known} Ask for the offset by HEAD, and go on there."
        )


class UploadGone(ApiError):
    """The upload has ended without an image, or has expired."""

    status = 410
    code = "upload-gone"
    title = "Upload has ended"

    def __init__(self) -> None:
        super().__init__("The upload was ended, refused or has expired: create a new one.")


class UnsupportedVersion(ApiError):
    """The request is of another version of tus, or of none."""

    status = 412
    code = "tus-version"
    title = "Unsupported version of tus"

    def __init__(self) -> None:
        super().__init__(f"Send Tus-Resumable: {TUS_VERSION}.")

    def headers(self) -> Mapping[str, str]:
        """Return the supported version."""
        return {"tus-version": TUS_VERSION}


class WrongMediaType(ApiError):
    """The body is not declared as bytes of an upload."""

    status = 415
    code = "content-type"
    title = "Unsupported content type"

    def __init__(self) -> None:
        super().__init__(f"Send the bytes with Content-Type: {OFFSET_MEDIA_TYPE}.")


class TooManyUploads(ApiError):
    """The tenant has too many uploads under way."""

    status = 429
    code = "too-many-uploads"
    title = "Too many uploads under way"

    def headers(self) -> Mapping[str, str]:
        """Return when to try again."""
        return {"retry-after": "60"}


class ChecksumMismatch(ApiError):
    """The bytes of a request do not have the announced checksum; none of them is stored."""

    status = 460
    code = "checksum-mismatch"
    title = "Checksum mismatch"

    def __init__(self) -> None:
        super().__init__("The bytes do not have the checksum of Upload-Checksum: send them again.")


class InsufficientStorage(ApiError):
    """There is no room for the announced bytes."""

    status = 507
    code = "insufficient-storage"
    title = "Insufficient storage"

    def __init__(self) -> None:
        super().__init__("There is no room for a file of this size on the server's disk: ask its operator for more.")


def problem_of(error: DarkroomError) -> dict[str, Any]:
    """Return what `repeated` makes the same error of, as a JSON document."""
    document: dict[str, Any] = {
        "status": error.status,
        "code": error.code,
        "title": error.title,
        "detail": error.detail,
        "members": error.members(),
    }
    if isinstance(error, ValidationFailed):
        document["errors"] = [[found.at, found.code, found.detail] for found in error.errors]
    return document


def repeated(problem: Mapping[str, Any]) -> DarkroomError:
    """Return the error that a document of `problem_of` tells of."""
    if "errors" in problem:
        return ValidationFailed([FieldError(*found) for found in problem["errors"]])
    members = dict(problem["members"])
    names: dict[str, Any] = {name: problem[name] for name in ("status", "code", "title")}
    kind = type("RepeatedRefusal", (ApiError,), {**names, "members": lambda _self: members})
    error: DarkroomError = kind(problem["detail"])
    return error
