"""Forms of uploads: multipart fields and files, staged on disk while they come."""

import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from catalog.api.multipart import FieldPart, FileBegin, FileChunk, FileEnd, read_multipart
from catalog.api.problems import to_field_errors
from catalog.api.strict_json import parse_strictly
from catalog.core.api_errors import FieldError, UploadTooLarge, ValidationFailed
from catalog.core.upload_rules import Candidate
from catalog.entities.service import EntityRef
from catalog.images.service import Description
from catalog.uploads.recording import UploadFields
from catalog.uploads.schemas import UploadForm
from proxy.core.errors import LimitExceeded
from proxy.delivery.staging import StagedFile

MAX_FILES: Final = 100
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}
_PAIR: Final = 2


@dataclass(slots=True)
class ReceivedFile:
    """A file of a form: staged, or refused because it is over the limit."""

    file_name: str
    declared_type: str | None
    staged: StagedFile
    error: UploadTooLarge | None = None

    @property
    def candidate(self) -> Candidate:
        """What the client says of the file."""
        return Candidate(self.file_name, self.declared_type)


@dataclass(slots=True)
class ReceivedForm:
    """The fields as they came, and the files in their order."""

    files: list[ReceivedFile] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)

    def fields(self) -> UploadForm:
        """Return the fields. Raise ValidationFailed."""
        document: dict[str, Any] = {}
        for name, values in self.values.items():
            if name == "tags":
                document[name] = values
            elif len(values) > 1:
                raise ValidationFailed([FieldError(f"/{name[:40]}", "repeated", "Send this field once.")])
            else:
                document[name] = _parsed(name, values[0])
        try:
            return UploadForm.model_validate(document)
        except ValidationError as error:
            errors: Any = [dict(fault) | {"loc": ("body", *fault["loc"])} for fault in error.errors()]
            raise ValidationFailed(to_field_errors(errors)) from None

    def fingerprint(self) -> list[str]:
        """Return all that the form says, as texts: the SHA-256 of each file with its name, and the fields."""
        files = [[file.file_name, file.declared_type or "", file.staged.digest] for file in self.files]
        return [json.dumps(files), json.dumps(self.values, sort_keys=True)]


async def read_form(  # noqa: PLR0913 - what a form is read with
    stack: ExitStack,
    content_type: str,
    body: AsyncIterator[bytes],
    *,
    file_field: str,
    max_files: int,
    limit_bytes: int,
) -> ReceivedForm:
    """Read a form of which only `file_field` holds files; `stack` closes the staged files.

    A file over `limit_bytes` is read to its end, not stored, and has an error. Raise InvalidRequest or
    ValidationFailed.
    """
    form = ReceivedForm()
    async for event in read_multipart(content_type, body):
        match event:
            case FieldPart(name, value):
                if name == file_field:
                    raise _wrong(file_field, "no-file", "This part has no file name: send it as a file.")
                form.values.setdefault(name, []).append(value)
            case FileBegin(name, file_name, media_type):
                if name != file_field:
                    raise _wrong(name, "unknown-field", f"Files are sent in the field `{file_field}`.")
                if len(form.files) >= max_files:
                    raise _wrong(file_field, "too-many-files", f"Send at most {max_files} of them.")
                staged = stack.enter_context(StagedFile(limit_bytes))
                form.files.append(ReceivedFile(file_name, media_type, staged))
            case FileChunk(data):
                await _append(form.files[-1], data)
            case FileEnd():
                pass
    if not form.files:
        raise _wrong(file_field, "missing", f"Send the image as a file in the field `{file_field}`.")
    return form


def upload_fields(form: UploadForm) -> UploadFields:
    """Return what the fields of a form say about an image."""
    entity = None
    if form.entity_type is not None and form.entity_id is not None:
        entity = EntityRef(form.entity_type, form.entity_id)
    description = Description(
        form.title or None, form.alt_text, form.caption, tuple(form.tags), form.metadata, (form.focus.x, form.focus.y)
    )
    return UploadFields(description, entity, form.primary, form.collection)


async def _append(file: ReceivedFile, data: bytes) -> None:
    if file.error is not None:
        return
    try:
        await file.staged.append(data)
    except LimitExceeded as error:
        file.error = UploadTooLarge(error.detail)


def _parsed(name: str, text: str) -> object:
    """Return the value that a field's text stands for; a text that is none is left for the schema to refuse."""
    if name == "metadata":
        return _json(text)
    if name == "focus":
        parts = text.split(",")
        if len(parts) != _PAIR:
            raise _wrong("focus", "focus", "Send two fractions from 0 to 1: 0.5,0.5.")
        return {"x": parts[0].strip(), "y": parts[1].strip()}
    if name == "primary":
        if text not in _BOOLEANS:
            raise _wrong("primary", "boolean", "Send true or false.")
        return _BOOLEANS[text]
    return text


def _json(text: str) -> object:
    try:
        return parse_strictly(text)
    except (ValueError, RecursionError):
        raise _wrong("metadata", "json", "This is not JSON: send an object.") from None


def _wrong(name: str, code: str, detail: str) -> ValidationFailed:
    printable = "".join(character if character.isprintable() else "_" for character in name[:40])
    pointer = printable.replace("~", "~0").replace("/", "~1")
    return ValidationFailed([FieldError(f"/{pointer}", code, detail)])
