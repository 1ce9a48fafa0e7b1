"""One image with its tags and links in one statement: the read that pages and backends make most.

The statement is built once; tags and links arrive as JSON arrays.
"""

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import JSON, ScalarSelect, Select, bindparam, func, select
from sqlmodel import SQLModel

from catalog.core.api_errors import ResourceNotFound
from catalog.images.service import ImageParts, LinkPart
from catalog.records.database import Database
from catalog.records.entity import EntityLink
from catalog.records.image import Image, ImageTag
from catalog.records.uuid7 import is_uuid7
from proxy.core.identifiers import TenantName


class ReadImage(NamedTuple):
    """A row of the image table, with attributes named as those of `Image`, and what has rows of its own."""

    image: Any
    parts: ImageParts


async def read_image(database: Database, tenant: TenantName, identifier: str) -> ReadImage:
    """Return one of a tenant's images. Raise ResourceNotFound if there is none."""
    row = None
    if is_uuid7(identifier):
        row = await database.fetch_one(_statement(database.embedded), {"tenant": tenant, "id": identifier})
    if row is None:
        raise ResourceNotFound("There is no such image.")
    links = tuple(LinkPart(*link) for link in sorted(row.link_parts or ()))
    return ReadImage(row, ImageParts(tuple(sorted(row.tag_parts or ())), links))


@cache
def _statement(embedded: bool) -> Select[Any]:  # noqa: FBT001 - one statement for each database
    image, tag, link = _table(Image), _table(ImageTag), _table(EntityLink)
    functions = ("json_group_array", "json_array") if embedded else ("json_agg", "json_build_array")
    collect, pack = (getattr(func, name) for name in functions)
    packed = pack(link.c.type, link.c.entity, link.c.position, link.c.is_primary)
    columns = [column.label("custom") if column.name == "metadata" else column for column in image.c]
    return select(
        *columns,
        _of_image(collect(tag.c.tag, type_=JSON), tag).label("tag_parts"),
        _of_image(collect(packed, type_=JSON), link).label("link_parts"),
    ).where(image.c.tenant == bindparam("tenant"), image.c.id == bindparam("id"))


def _of_image(collected: Any, parts: Any) -> ScalarSelect[Any]:  # noqa: ANN401 - SQL expressions
    image = _table(Image)
    return select(collected).where(parts.c.tenant == image.c.tenant, parts.c.image == image.c.id).scalar_subquery()


def _table(model: type[SQLModel]) -> Any:  # noqa: ANN401 - SQLModel does not declare it
    return vars(model)["__table__"]
