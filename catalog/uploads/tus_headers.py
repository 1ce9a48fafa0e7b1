"""Header fields of tus requests: what they say, or InvalidRequest.

Upload-Length, Upload-Offset     non-negative integers
Upload-Metadata                  `key base64,key base64,…`, each key once; a key without a value is empty
Upload-Checksum                  `sha1 base64` or `sha256 base64`
"""

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from catalog.core.api_errors import FieldError, InvalidRequest, ValidationFailed
from catalog.core.upload_rules import LONGEST_NAME
from catalog.records.upload_session import MEDIA_TYPE_LENGTH
from catalog.uploads.form import ReceivedForm
from catalog.uploads.receiving import Checksum
from catalog.uploads.schemas import UploadForm
from proxy.core.identifiers import digest_name

ALGORITHMS: Final = ("sha1", "sha256")
_LONGEST_METADATA: Final = 65_536
_MOST_KEYS: Final = 50
_LONGEST_NUMBER: Final = 15
LARGEST_NUMBER: Final = 10**_LONGEST_NUMBER - 1
_FILE_NAMES: Final = ("filename", "file_name", "name")
_TYPES: Final = ("filetype", "type")
_IGNORED: Final = frozenset({*_FILE_NAMES, *_TYPES, "sha256", "relativePath"})
"""Keys that are no fields of an image. Uppy sends `name`, `type` and `relativePath` of its own accord."""


@dataclass(frozen=True, slots=True)
class UploadMetadata:
    """What `Upload-Metadata` says."""

    file_name: str | None
    declared_type: str | None
    sha256: str | None
    form: UploadForm


def read_number(headers: Mapping[str, str], name: str) -> int | None:
    """Return the number of a field; None if there is no such field."""
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise InvalidRequest(f"{name} is a number of bytes, 0 or more.")
    return int(text)


def read_length(headers: Mapping[str, str]) -> int | None:
    """Return the announced size of a new upload; None if it follows later."""
    length, deferred = read_number(headers, "Upload-Length"), headers.get("Upload-Defer-Length")
    if deferred not in {None, "1"}:
        raise InvalidRequest("Upload-Defer-Length has the value 1.")
    if (length is None) == (deferred is None):
        raise InvalidRequest("Send either Upload-Length with the size of the file, or Upload-Defer-Length: 1.")
    return length


def read_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Return the checksum of a request's body, or None."""
    text = headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, encoded = text.strip().partition(" ")
    if algorithm not in ALGORITHMS:
        raise InvalidRequest(f"Upload-Checksum names one of {', '.join(ALGORITHMS)}, and the checksum in Base64.")
    return Checksum(algorithm, _decode(encoded, "Upload-Checksum"))


def read_metadata(text: str) -> UploadMetadata:
    """Return what the value of `Upload-Metadata` says. Raise InvalidRequest, or ValidationFailed for its fields."""
    pairs = read_pairs(text)
    sha256 = pairs.get("sha256")
    if sha256 is not None:
        try:
            digest_name(sha256)
        except ValueError:
            raise _wrong("sha256", "sha256", "Send 64 lower-case hexadecimal digits.") from None
    values = {
        name: _tags(value) if name == "tags" else [value] for name, value in pairs.items() if name not in _IGNORED
    }
    return UploadMetadata(
        _first(pairs, _FILE_NAMES, LONGEST_NAME),
        _first(pairs, _TYPES, MEDIA_TYPE_LENGTH),
        sha256,
        ReceivedForm(values=values).fields(),
    )


def read_pairs(text: str) -> dict[str, str]:
    """Return keys and decoded values of `Upload-Metadata`; an empty text has none."""
    if len(text) > _LONGEST_METADATA:
        raise InvalidRequest(f"Upload-Metadata has at most {_LONGEST_METADATA} characters.")
    pairs: dict[str, str] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, encoded = pair.strip().partition(" ")
        if not (key and key.isascii() and key.isprintable()) or key in pairs or len(pairs) >= _MOST_KEYS:
            raise InvalidRequest(f"Upload-Metadata has at most {_MOST_KEYS} keys, each in ASCII and sent once.")
        try:
            pairs[key] = _decode(encoded, "Upload-Metadata").decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"The value of {key[:40]} in Upload-Metadata is not UTF-8.") from None
    return pairs


def _decode(encoded: str, name: str) -> bytes:
    try:
        return b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"A value of {name} is not Base64.") from None


def _tags(text: str) -> list[str]:
    """Return tags from a JSON list, or from a text with commas between them."""
    if not text.lstrip().startswith("["):
        return [tag for word in text.split(",") if (tag := word.strip())]
    try:
        tags: Any = json.loads(text)
    except (ValueError, RecursionError):
        tags = None
    if not isinstance(tags, list):
        raise _wrong("tags", "json", "Send a JSON list of texts, or texts with commas between them.")
    return tags


def _first(pairs: Mapping[str, str], names: tuple[str, ...], longest: int) -> str | None:
    return next((pairs[name][:longest] for name in names if pairs.get(name)), None)


def _wrong(name: str, code: str, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError(f"/{name}", code, detail)])
