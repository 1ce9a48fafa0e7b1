"""JSON documents of jobs, parameters and results: bounded, and storable on both databases."""

import json
from collections.abc import Mapping
from typing import Any, Final

from catalog.jobs.errors import MAX_DETAIL_LENGTH, DocumentRefused

MAX_DOCUMENT_BYTES: Final = 64 * 2**10


def check_document(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a copy of the document. Raise DocumentRefused if it is not JSON, too large, or has text with NUL or lone
    surrogates, which PostgreSQL cannot store.
    """  # noqa: D205 - two lines of one sentence
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentRefused(f"The {name} of a job must be JSON: {type(error).__name__}.") from error
    if size > MAX_DOCUMENT_BYTES:
        raise DocumentRefused(f"The {name} of a job must be at most {MAX_DOCUMENT_BYTES} bytes of JSON.")
    if "\\u0000" in text.replace("\\\\", ""):
        raise DocumentRefused(f"The {name} of a job must not contain NUL characters.")
    copy: dict[str, Any] = json.loads(text)
    return copy


def error_document(code: str, detail: str) -> dict[str, str]:
    """Return the `error` of a job: a stable code, and a sentence of printable characters."""
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in detail)
    return {"code": code, "detail": printable[:MAX_DETAIL_LENGTH]}
