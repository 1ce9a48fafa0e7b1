"""Requests and answers about API tokens."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from catalog.api.fields import Body, Moment, View, check_text
from catalog.core.token_format import ID_LENGTH
from catalog.records.identity import TOKEN_NAME_LENGTH, Token

RoleName = Literal["viewer", "contributor", "editor", "admin", "operator"]
ScopeName = Literal["read", "upload", "write", "sign", "jobs", "admin"]
TokenId = Annotated[str, StringConstraints(pattern=f"^[0-9A-Za-z]{{{ID_LENGTH}}}$")]

_EXAMPLE: JsonDict = {
    "id": "4fQ2mXb81LsA",
    "name": "web shop",
    "role": "contributor",
    "scopes": ["upload", "read"],
    "created_at": "2026-11-24T12:00:00Z",
    "created_by": "token:0aB3cD4eF5gH",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}


class TokenCreate(Body):
    """A token to be created."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"role": "contributor", "name": "web shop", "scopes": ["upload", "read"]}]}
    )

    role: RoleName
    name: Annotated[str, StringConstraints(max_length=TOKEN_NAME_LENGTH), AfterValidator(check_text)] = ""
    scopes: Annotated[list[ScopeName], Field(max_length=6, default_factory=list)]
    expires_at: Moment | None = None


class TokenView(View):
    """A token, without its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    name: str
    role: RoleName
    scopes: list[ScopeName]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class TokenCreated(View):
    """A new token; `token` is shown this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "4fQ2mXb81LsA", "token": "drk_4fQ2mXb81LsA_…"}]})

    id: str
    token: str


def view_of(row: Token) -> TokenView:
    """Return a token as it is answered."""
    return TokenView.model_validate(row.model_dump(exclude={"tenant", "digest", "version"}))
