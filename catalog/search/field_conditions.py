"""Conditions on fields that are no free text: numbers, moments, choices, colours, links."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Float, Integer, Select, cast, func, not_, or_, select

from catalog.core.image_status import ImageStatus
from catalog.core.search.oklab import NEAR, oklab
from catalog.core.search.tree import Range, Span, Text
from catalog.records.collection import Collection
from catalog.records.entity import EntityLink
from catalog.records.image import Image, ImageTag
from catalog.records.search import ImageColor, NearDuplicate
from catalog.search.columns import ORIENTATIONS, Condition, column, length_of, matches, within, within_dates
from proxy.core.identifiers import TenantName
from proxy.core.media.formats import FORMATS

MOMENTS: Final = {"uploaded": "created_at", "updated": "updated_at", "taken": "taken_at"}
_NUMBERS: Final = {"width": "width", "height": "height", "bytes": "size_bytes", "quality": "quality_score"}
_MISSING: Final = {"alt": "alt_text", "taken": "taken_at"}
_NEVER_NULL: Final = frozenset({"alt", "caption"})


@dataclass(frozen=True, slots=True)
class FieldConditions:
    """Conditions on images of one tenant at one moment."""

    tenant: TenantName
    now: datetime

    def range(self, name: str, value: Range | Span) -> Condition:
        """Return the condition of a number or a moment."""
        if isinstance(value, Span):
            condition: Condition = column(Image, MOMENTS[name]) >= self.now - length_of(value)
            return condition
        if name in MOMENTS:
            return within_dates(column(Image, MOMENTS[name]), value)
        return within(self._number(name), value)

    def text(self, name: str, key: str, value: Text) -> Condition:
        """Return the condition of a choice, a colour, a link, or a text that is compared as a whole."""
        condition: Condition = getattr(self, f"_{name}")(value) if name != "meta" else _meta(key, value)
        return condition

    def _number(self, name: str) -> ColumnElement[Any]:
        width, height = column(Image, "width"), column(Image, "height")
        if name == "pixels":
            pixels: ColumnElement[Any] = cast(width, BigInteger) * height
            return pixels
        if name == "ratio":
            ratio: ColumnElement[Any] = cast(width, Float) / height
            return ratio
        if name == "used":
            used: ColumnElement[Any] = self._links(func.count()).scalar_subquery()
            return used
        number: ColumnElement[Any] = column(Image, _NUMBERS[name])
        return number

    def _format(self, value: Text) -> Condition:
        condition: Condition = column(Image, "media_type") == FORMATS[value.text].media_type
        return condition

    def _orientation(self, value: Text) -> Condition:
        return ORIENTATIONS[value.text](column(Image, "width"), column(Image, "height"))

    def _status(self, value: Text) -> Condition:
        condition: Condition = column(Image, "status") == value.text
        return condition

    def _by(self, value: Text) -> Condition:
        return matches(column(Image, "created_by"), value)

    def _color(self, value: Text) -> Condition:
        wanted = oklab(value.text)
        # the columns are smallint, whose products overflow
        parts = (cast(column(ImageColor, name), Integer) - part for name, part in wanted._asdict().items())
        lightness, a, b = (part * part for part in parts)
        return self._in(ImageColor, "image", lightness + a + b <= NEAR * NEAR)

    def _entity(self, value: Text) -> Condition:
        kind, slash, identifier = value.text.partition("/")
        if not slash:
            return self._in(EntityLink, "image", matches(column(EntityLink, "type"), value))
        named = matches(column(EntityLink, "entity"), Text(identifier, prefix=value.prefix))
        return self._in(EntityLink, "image", column(EntityLink, "type") == kind, named)

    def _collection(self, value: Text) -> Condition:
        named = or_(column(Collection, "id") == value.text, matches(column(Collection, "name"), value))
        collections = select(column(Collection, "id")).where(column(Collection, "tenant") == self.tenant, named)
        condition: Condition = column(Image, "collection").in_(collections)
        return condition

    def _missing(self, value: Text) -> Condition:
        what = value.text
        if what == "tags":
            return not_(self._in(ImageTag, "image"))
        if what == "entity":
            return not_(self._in(EntityLink, "image"))
        missing = column(Image, _MISSING.get(what, what))
        condition: Condition = missing == "" if what in _NEVER_NULL else missing.is_(None)
        return condition

    def _duplicate(self, value: Text) -> Condition:
        served = select(column(Image, "id")).where(
            column(Image, "tenant") == self.tenant, column(Image, "status") != ImageStatus.TRASHED.value
        )
        found = self._in(NearDuplicate, "image", column(NearDuplicate, "other").in_(served))
        return found if value.text == "true" else not_(found)

    def _in(self, model: type[Any], name: str, *conditions: Condition) -> Condition:
        """Return whether an image is among the rows of another table."""
        query = select(column(model, name)).where(column(model, "tenant") == self.tenant, *conditions)
        condition: Condition = column(Image, "id").in_(query)
        return condition

    def _links(self, what: Any) -> Select[Any]:  # noqa: ANN401 - a SQL expression
        link = column(EntityLink, "image")
        return select(what).where(column(EntityLink, "tenant") == self.tenant, link == column(Image, "id"))


def _meta(key: str, value: Text) -> Condition:
    return matches(column(Image, "metadata")[key].as_string(), value)
