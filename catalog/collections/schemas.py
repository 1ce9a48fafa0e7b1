"""Requests and answers about collections."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, StringConstraints
from pydantic.config import JsonDict

from catalog.api.fields import Body, View, check_text
from catalog.records.collection import COLLECTION_NAME_LENGTH, DESCRIPTION_LENGTH, Collection

_EXAMPLE: JsonDict = {
    "id": "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071",
    "name": "Summer 2026",
    "description": "Outdoor furniture",
    "version": 1,
    "created_at": "2026-11-24T12:00:00Z",
    "updated_at": "2026-11-24T12:00:00Z",
    "created_by": "token:4fQ2mXb81LsA",
}


def check_name(name: str) -> str:
    """Return a name without white space around it. Raise ValueError if nothing is left or it has line breaks."""
    name = check_text(name).strip()
    if not name or not name.isprintable():
        raise ValueError("A name is one line of printable characters.")
    return name


class CollectionWrite(Body):
    """The values of a collection; PUT replaces all of them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Summer 2026", "description": "Outdoor furniture"}]}
    )

    name: Annotated[str, StringConstraints(max_length=COLLECTION_NAME_LENGTH), AfterValidator(check_name)]
    description: Annotated[str, StringConstraints(max_length=DESCRIPTION_LENGTH), AfterValidator(check_text)] = ""


class CollectionView(View):
    """A collection."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    name: str
    description: str
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


def view_of(row: Collection) -> CollectionView:
    """Return a collection as it is answered."""
    return CollectionView.model_validate(row.model_dump(exclude={"tenant"}))
