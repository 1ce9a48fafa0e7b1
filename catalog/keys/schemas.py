"""Requests and answers about signing keys."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, SecretStr
from pydantic.config import JsonDict

from catalog.api.fields import Body, View
from catalog.core.errors import KeyConflict
from catalog.keys.service import Key, KeyState, choose_secret
from catalog.records.key import SECRET_LENGTH

_EXAMPLE: JsonDict = {
    "id": 7,
    "fingerprint": "87cbebfe",
    "state": "signs",
    "created_at": "2026-11-24T12:00:00Z",
    "retired_at": None,
}


def check_secret(secret: SecretStr) -> SecretStr:
    """Return a signing secret. Raise ValueError for one that is too short or has characters that cannot be typed."""
    try:
        choose_secret(secret.get_secret_value())
    except KeyConflict as error:
        raise ValueError(error.detail) from None
    return secret


SigningSecret = Annotated[SecretStr, Field(max_length=SECRET_LENGTH), AfterValidator(check_secret)]


class KeyCreate(Body):
    """A key to be added."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

    secret: Annotated[SigningSecret | None, Field(description="16 to 256 characters; generated if left out.")] = None


class KeyView(View):
    """A key, without its secret. The newest one that is not retired signs; the others verify."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: int
    fingerprint: Annotated[
        str | None, Field(description="First 8 hex digits of the secret's SHA-256; null if it cannot be decrypted.")
    ]
    state: KeyState
    created_at: datetime
    retired_at: datetime | None


class KeyCreated(View):
    """A new key; its secret is in this answer and nowhere else."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": 7, "fingerprint": "87cbebfe", "secret": "correct-horse-battery-staple"}]}
    )

    id: int
    fingerprint: str
    secret: str


def view_of(key: Key) -> KeyView:
    """Return a key as it is answered."""
    return KeyView(
        id=key.id, fingerprint=key.fingerprint, state=key.state, created_at=key.created_at, retired_at=key.retired_at
    )
