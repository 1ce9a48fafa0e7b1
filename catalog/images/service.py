"""Focal points: what an original is about, as fractions of its upright sides; written into the URLs that are minted."""

import re
from fractions import Fraction

from catalog.core.errors import FocusConflict
from catalog.core.focus_geometry import Subject
from catalog.records.database import Database
from catalog.records.tables import Original
from proxy.core.errors import NotFound, RecipeError
from proxy.core.geometry import Size, upright
from proxy.core.identifiers import Digest, TenantName
from proxy.core.recipe import grammar
from proxy.core.recipe.values import Focus

_POINT = re.compile(r"[0-9.]{1,10}_[0-9.]{1,10}")
_RULE = "A focal point is two fractions 0…1, across and down, without trailing zeros: 0.3_0.6."
_CENTRE = Focus(Fraction(1, 2), Fraction(1, 2))


def read_focus(text: str) -> Focus | None:
    """Read `0.3_0.6`, as `fp` in a recipe; None is the centre. FocusConflict for what is no point."""
    if not _POINT.fullmatch(text):
        raise FocusConflict(_RULE)
    try:
        focus = grammar.parse(f"w1-h1-fp{text}").focus
    except RecipeError:
        raise FocusConflict(_RULE) from None
    return None if focus == _CENTRE else focus


async def set_focus(database: Database, tenant: TenantName, original: Digest, text: str) -> None:
    """Keep an original's focal point; the centre takes it back. FocusConflict, NotFound."""
    focus = read_focus(text)
    async with database.writing() as session:
        row = await session.get(Original, (tenant, original))
        if row is None:
            raise NotFound(f"Tenant {tenant} has no original {original}: upload it first.")
        row.focus = None if focus is None else text
        session.add(row)


async def find_subject(database: Database, tenant: TenantName, original: Digest) -> Subject | None:
    """Give what an original is about; None where that is not known."""
    async with database.reading() as session:
        row = await session.get(Original, (tenant, original))
        focus = None if row is None or row.focus is None else read_focus(row.focus)
        if row is None or focus is None:
            return None
        return Subject(focus, upright(row.orientation).of_size(Size(row.width, row.height)))
