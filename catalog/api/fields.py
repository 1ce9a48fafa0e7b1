"""Kinds of fields that requests are made of: every one has a bound.

Text is refused where a database or a reader could not hold it: NUL characters, lone surrogates, other control
characters than line breaks and tabs.
"""

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from catalog.records.entity import ENTITY_ID_LENGTH, ENTITY_TYPE_LENGTH
from catalog.records.image import ALT_TEXT_LENGTH, CAPTION_LENGTH, MAX_TAGS, METADATA_BYTES, TAG_LENGTH, TITLE_LENGTH
from catalog.records.uuid7 import UUID

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
MAX_DEPTH = 8
MAX_METADATA_KEYS = 200
METADATA_KEY_LENGTH = 64


class Body(BaseModel):
    """Ancestor of all request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """Ancestor of all answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def check_text(text: str) -> str:
    """Return the text. Raise ValueError if it has characters that cannot be stored or displayed."""
    if _CONTROL.search(text):
        raise ValueError("Control characters and lone surrogates are not allowed: remove them.")
    return text


def check_moment(moment: datetime) -> datetime:
    """Return a moment in UTC. Raise ValueError if it is outside the years 1 to 9999 there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("The time is out of range: specify one of the years 1 to 9999 in UTC.") from None


def check_tag(tag: str) -> str:
    """Return a tag without white space around it. Raise ValueError if nothing is left or it has line breaks."""
    tag = check_text(tag).strip()
    if not tag or not tag.isprintable():
        raise ValueError("A tag is one line of printable characters.")
    return tag


def check_unique(tags: list[str]) -> list[str]:
    """Return the tags without repetitions, in their order."""
    return list(dict.fromkeys(tags))


def check_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata. Raise ValueError if it is too large, too deep or has text that cannot be stored."""
    if len(metadata) > MAX_METADATA_KEYS:
        raise ValueError(f"Metadata has at most {MAX_METADATA_KEYS} keys.")
    size = _measure(metadata, MAX_DEPTH)
    if size > METADATA_BYTES:
        raise ValueError(f"Metadata has at most {METADATA_BYTES} bytes.")
    return metadata


def _measure(value: object, depth: int) -> int:
    """Return about how many bytes a value takes as JSON, checking it on the way."""
    if depth < 0:
        raise ValueError(f"Metadata is nested at most {MAX_DEPTH} deep.")
    if isinstance(value, dict):
        for key in value:
            if not 1 <= len(check_text(key)) <= METADATA_KEY_LENGTH:
                raise ValueError(f"Keys of metadata have 1 to {METADATA_KEY_LENGTH} characters.")
        return sum(len(key.encode()) + 4 + _measure(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + _measure(item, depth - 1) for item in value)
    if isinstance(value, str):
        return len(check_text(value).encode()) + 2
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Numbers of metadata are finite.")
    if isinstance(value, int) and abs(value) > 2**63:
        raise ValueError("Numbers of metadata fit into 64 bits.")
    return 8


Identifier = Annotated[str, StringConstraints(pattern=f"^{UUID.pattern}$")]
Moment = Annotated[AwareDatetime, AfterValidator(check_moment)]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Title = Annotated[str, StringConstraints(max_length=TITLE_LENGTH), AfterValidator(check_text)]
AltText = Annotated[str, StringConstraints(max_length=ALT_TEXT_LENGTH), AfterValidator(check_text)]
Caption = Annotated[str, StringConstraints(max_length=CAPTION_LENGTH), AfterValidator(check_text)]
Tag = Annotated[str, StringConstraints(max_length=TAG_LENGTH), AfterValidator(check_tag)]
Tags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(check_unique)]
Metadata = Annotated[dict[str, Any], AfterValidator(check_metadata)]
Name = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,31}$")]
EntityType = Annotated[str, StringConstraints(pattern=f"^[a-z0-9][a-z0-9_.-]{{0,{ENTITY_TYPE_LENGTH - 1}}}$")]
EntityId = Annotated[
    str, StringConstraints(pattern=f"^[A-Za-z0-9_.:~@-]{{1,{ENTITY_ID_LENGTH}}}$", max_length=ENTITY_ID_LENGTH)
]


class Focus(Body):
    """A focal point, as fractions of width and height from the top left."""

    x: Annotated[float, Field(ge=0, le=1)]
    y: Annotated[float, Field(ge=0, le=1)]
