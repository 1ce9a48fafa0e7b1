"""Conditional requests on records (RFC 9110 §13): `ETag`, `If-Match`, `If-None-Match`."""

from datetime import datetime
from typing import Annotated

from fastapi import Header

from catalog.core.api_errors import PreconditionFailed

MAX_LENGTH = 4_096

IfMatch = Annotated[
    str | None, Header(max_length=MAX_LENGTH, description="The ETag that was read; another one is refused with 412.")
]


def etag_of(identifier: str, version: int) -> str:
    """Return the strong entity tag of a record, with its quotes."""
    return f'"{identifier}-{version}"'


def etag_of_change(identifier: str, changed_at: datetime) -> str:
    """Return the strong entity tag of a record that has no version, by the moment of its last change."""
    return f'"{identifier}-{changed_at.timestamp():.6f}"'


def check_if_match(if_match: str | None, etag: str) -> None:
    """Raise PreconditionFailed unless `If-Match` is absent, `*`, or lists the present tag (strong comparison)."""
    if if_match is None or if_match.strip() == "*":
        return
    if etag not in _tags(if_match):
        raise PreconditionFailed(etag)


def is_not_modified(if_none_match: str | None, etag: str) -> bool:
    """Return whether `If-None-Match` lists the present tag (weak comparison), so that 304 is the answer."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in {tag.removeprefix("W/") for tag in _tags(if_none_match)}


def _tags(field: str) -> set[str]:
    return {tag.strip() for tag in field[:MAX_LENGTH].split(",")}
