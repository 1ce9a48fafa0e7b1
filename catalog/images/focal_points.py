"""Focal points of originals, as fractions of the upright sides; the URL builder writes them into cover crops."""

import re
from fractions import Fraction

from catalog.core.errors import FocusConflict
from catalog.core.focus_geometry import FocalPoint
from catalog.records.database import Database
from catalog.records.tables import Original
from proxy.core.errors import NotFound, RecipeError
from proxy.core.geometry import Size, upright
from proxy.core.identifiers import Digest, TenantName
from proxy.core.recipe import grammar
from proxy.core.recipe.values import Focus

_POINT = re.compile(r"[0-9.]{1,10}_[0-9.]{1,10}")
_RULE = "A focal point is two fractions from 0 to 1, across and down, without trailing zeros: 0.3_0.6."
_CENTRE = Focus(Fraction(1, 2), Fraction(1, 2))


def read_focus(text: str) -> Focus | None:
    """Parse `0.3_0.6`, the spelling of `fp` in a recipe; return None for the centre. Raise FocusConflict."""
    if not _POINT.fullmatch(text):
        raise FocusConflict(_RULE)
    try:
        focus = grammar.parse(f"w1-h1-fp{text}").focus
    except RecipeError:
        raise FocusConflict(_RULE) from None
    return None if focus == _CENTRE else focus


async def set_focus(database: Database, tenant: TenantName, original: Digest, text: str) -> None:
    """Store the focal point of an original; the centre removes it. Raise FocusConflict, NotFound."""
    focus = read_focus(text)
    async with database.writing() as session:
        row = await session.get(Original, (tenant, original))
        if row is None:
            raise NotFound(f"Tenant {tenant} has no original {original}: upload it first.")
        row.focus = None if focus is None else text
        session.add(row)


async def find_focal_point(database: Database, tenant: TenantName, original: Digest) -> FocalPoint | None:
    """Return the focal point of an original, or None if it has none."""
    async with database.reading() as session:
        row = await session.get(Original, (tenant, original))
        focus = None if row is None or row.focus is None else read_focus(row.focus)
        if row is None or focus is None:
            return None
        return FocalPoint(focus, upright(row.orientation).of_size(Size(row.width, row.height)))
