"""Focal points, as fractions of the upright sides; the URL builder writes them into cover crops.

The image holds the focal point (`focus_x`, `focus_y`). An original without an image holds its own, which the image gets
that is made of it.
"""

import re
from dataclasses import replace
from fractions import Fraction

from catalog.core.errors import FocusConflict
from catalog.core.focus_geometry import FocalPoint
from catalog.core.origin import COMMAND_LINE
from catalog.core.roles import Principal
from catalog.images import service
from catalog.images.service import CENTRE
from catalog.records.database import Database
from catalog.records.tables import Image, Original
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


async def set_focus(database: Database, principal: Principal, original: Digest, text: str) -> None:
    """Set the focal point of an original and of the image that stands on it; the centre removes it.

    Where there is an image, it alone holds the point, as over the API; otherwise the original holds it until there is
    one. Raise FocusConflict, NotFound, or ResourceConflict for an image in the trash.
    """
    focus, tenant = read_focus(text), principal.tenant
    async with database.writing() as session:
        row = await session.get(Original, (tenant, original))
        if row is None:
            raise NotFound(f"Tenant {tenant} has no original {original}: upload it first.")
        image = await service.find_by_original(session, tenant, original, lock=True)
        if image is None:
            row.focus = None if focus is None else text
            return
        point = (CENTRE, CENTRE) if focus is None else (float(focus.x), float(focus.y))
        description = replace(await service.describe(session, image), focus=point)
        await service.change_description(session, principal, COMMAND_LINE, image, description)


async def find_focal_point(database: Database, tenant: TenantName, original: Digest) -> FocalPoint | None:
    """Return the focal point of an original, or None if it has none."""
    async with database.reading() as session:
        image = await service.find_by_original(session, tenant, original)
        if image is not None:
            return point_of_image(image)
        row = await session.get(Original, (tenant, original))
        return None if row is None else point_of_original(row)


def point_of_image(image: Image) -> FocalPoint | None:
    """Return the focal point of an image, or None for the centre."""
    x, y = service.focus_of(image)
    if (x, y) == (CENTRE, CENTRE):
        return None
    return FocalPoint(Focus(Fraction(x), Fraction(y)), Size(image.width, image.height))


def point_of_original(row: Original) -> FocalPoint | None:
    """Return the focal point of an original that no image stands on, or None for the centre."""
    focus = None if row.focus is None else read_focus(row.focus)
    return None if focus is None else FocalPoint(focus, upright(row.orientation).of_size(Size(row.width, row.height)))
