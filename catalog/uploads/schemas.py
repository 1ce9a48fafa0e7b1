"""Requests and answers about uploads."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from catalog.api.fields import (
    AltText,
    Body,
    Caption,
    EntityId,
    EntityType,
    Focus,
    Identifier,
    Metadata,
    Tags,
    Title,
    View,
)
from catalog.images.schemas import ImageView


class UploadForm(Body):
    """The fields of an upload, beside its files."""

    title: Title | None = None
    alt_text: AltText = ""
    caption: Caption = ""
    tags: Annotated[Tags, Field(default_factory=list)]
    metadata: Annotated[Metadata, Field(default_factory=dict)]
    focus: Focus = Focus(x=0.5, y=0.5)
    entity_type: EntityType | None = None
    entity_id: EntityId | None = None
    primary: bool | None = None
    collection: Identifier | None = None

    @model_validator(mode="after")
    def _check_entity(self) -> Self:
        if (self.entity_type is None) != (self.entity_id is None):
            raise ValueError("Send entity_type and entity_id together.")
        if self.primary is not None and self.entity_id is None:
            raise ValueError("primary belongs to an entity: send entity_type and entity_id.")
        return self


class FileError(View):
    """Why a file was refused: the members of a problem."""

    type: str
    title: str
    code: str
    detail: str
    reason: Annotated[str | None, Field(exclude_if=lambda reason: reason is None)] = None


class FileResult(View):
    """What became of one file: 201 or 200 with its image, or the status of its error."""

    file_name: str
    status: int
    image: Annotated[ImageView | None, Field(exclude_if=lambda image: image is None)] = None
    error: Annotated[FileError | None, Field(exclude_if=lambda error: error is None)] = None


class UploadResults(View):
    """What became of each file, in the order of the body."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {
                            "file_name": "page.html",
                            "status": 415,
                            "error": {
                                "type": "urn:darkroom:error:upload-refused",
                                "title": "File refused",
                                "code": "upload-refused",
                                "detail": "File names with .html are refused: rename the file.",
                                "reason": "extension-dangerous",
                            },
                        }
                    ]
                }
            ]
        }
    )

    results: list[FileResult]


def multipart_body(file_field: str, *, many: bool) -> dict[str, Any]:
    """Return the OpenAPI description of a multipart body with files and the fields of UploadForm."""
    schema = UploadForm.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    file: dict[str, Any] = {"type": "string", "contentMediaType": "application/octet-stream"}
    text = {
        "metadata": {"type": "string", "description": "JSON object"},
        "focus": {"type": "string", "description": "x,y"},
    }
    fields = {file_field: {"type": "array", "items": file} if many else file, **schema["properties"], **text}
    body = {"type": "object", "properties": fields, "required": [file_field]}
    example = {
        file_field: ["(bytes)", "(bytes)"] if many else "(bytes)",
        "title": "Garden chair",
        "alt_text": "A blue chair in the sun",
        "tags": ["blue", "outdoor"],
        "metadata": '{"sku": "42"}',
        "focus": "0.5,0.4",
    }
    media = {"schema": body, "example": example}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": media}}}
