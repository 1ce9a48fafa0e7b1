"""Requests and answers about sources. Values of credentials go in and never come out."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints
from pydantic.config import JsonDict

from catalog.api.fields import Body, View, check_text
from catalog.records.source import PREFIX_LENGTH
from catalog.sources.service import LONGEST_CREDENTIAL, LONGEST_NAME, MOST_CREDENTIALS, Source

SourceId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]

_CREDENTIALS: JsonDict = {
    "access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "secret_access_key": "1f2e3d",
    "region": "eu-central-1",
}
_EXAMPLE: JsonDict = {
    "id": "6f1ed002ab5595859014ebf0951522d9",
    "prefix": "s3://photos/2026",
    "credentials": ["access_key_id", "region", "secret_access_key"],
    "updated_at": "2026-11-24T12:00:00Z",
}


class SourceWrite(Body):
    """What opens a source; PUT replaces all of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"credentials": _CREDENTIALS}]})

    credentials: Annotated[
        dict[Annotated[str, StringConstraints(max_length=LONGEST_NAME)], SecretStr],
        Field(
            max_length=MOST_CREDENTIALS,
            default_factory=dict,
            description="Keys for S3, request header fields for HTTPS; their values are stored encrypted.",
        ),
    ]

    def values(self) -> dict[str, str]:
        """Return the credentials in plain text."""
        return {name: value.get_secret_value()[: LONGEST_CREDENTIAL + 1] for name, value in self.credentials.items()}


class SourceCreate(SourceWrite):
    """A source to be allowed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prefix": "s3://photos/2026", "credentials": _CREDENTIALS}]}
    )

    prefix: Annotated[
        str,
        StringConstraints(min_length=1, max_length=PREFIX_LENGTH),
        AfterValidator(check_text),
        Field(description="`https://host/folder` or `s3://bucket/folder`; includes all below it."),
    ]


class SourceView(View):
    """A source, with the names of its credentials."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    prefix: str
    credentials: list[str]
    updated_at: datetime


def view_of(source: Source) -> SourceView:
    """Return a source as it is answered."""
    return SourceView(
        id=source.id, prefix=source.prefix, credentials=list(source.credentials), updated_at=source.created_at
    )
