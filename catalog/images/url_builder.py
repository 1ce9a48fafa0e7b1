"""Signed URLs. Errors in a path or recipe are raised before it is signed."""

import re
from dataclasses import replace

from catalog.core.focus_geometry import FocalPoint
from catalog.core.spans import UNIT_SECONDS
from proxy.core.recipe import grammar
from proxy.core.recipe.presets import apply_presets
from proxy.core.tenant import Tenant
from proxy.core.url.link import Link, parse_target
from proxy.core.url.signing import SEAL_LENGTH

LATEST_EXPIRY = 99_999_999_999
"""The largest expiry of a URL: eleven digits."""

_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_UNIX = re.compile(r"[1-9][0-9]{0,10}")


def read_path(path: str, expires: int | None = None) -> Link:
    """Parse a path, and check its recipe and its length as a URL.

    Raise MalformedRequest, RecipeError or TargetTooLong.
    """
    seal = "s=" + "0" * SEAL_LENGTH
    query = seal if expires is None else f"e={expires}&{seal}"
    link = parse_target(path.encode("utf-8", "surrogateescape"), query.encode())
    grammar.parse(link.recipe)
    return link


def build_url(base_url: str, tenant: Tenant, link: Link, focal_point: FocalPoint | None = None) -> str:
    """Sign a link with the tenant's newest key and return the URL.

    The focal point of the original is written into a cover crop whose recipe specifies no position. Raise RecipeError
    for an unknown preset or watermark.
    """
    link = with_focal_point(tenant, link, focal_point)
    seal = tenant.keys[0].seal(link.sealed_text)
    separator = "?" if link.expires is None else "&"
    return f"{base_url.rstrip('/')}{link.sealed_text}{separator}s={seal}"


def seal_path(base_url: str, tenant: Tenant, path: str) -> str:
    """Sign a path whose recipe is known to be valid, without parsing it, and return the URL; it does not expire."""
    return f"{base_url.rstrip('/')}{path}?s={tenant.keys[0].seal(path)}"


def with_focal_point(tenant: Tenant, link: Link, focal_point: FocalPoint | None) -> Link:
    """Return a link with the focal point written into its recipe, where that is a cover crop without a position.

    Raise RecipeError for an unknown preset or watermark.
    """
    expanded = apply_presets(grammar.parse(link.recipe), tenant.presets, tenant.watermarks)
    has_position = expanded.gravity is not None or expanded.focus is not None
    if focal_point is None or has_position or not expanded.crops_to_cover:
        return link
    focus = focal_point.after(expanded)
    if focus is None:
        return link
    recipe = replace(grammar.parse(link.recipe), focus=focus)
    return read_path(f"/t/{link.tenant}/{link.original}/{recipe}", link.expires)


def read_expiry(text: str, now_s: int) -> int:
    """Return the Unix time of a span (`90s`, `30m`, `1h`, `7d`) from now, or of a Unix time in the future.

    Raise ValueError, whose message states the accepted forms.
    """
    span = _SPAN.fullmatch(text)
    if span is not None:
        expires = now_s + int(span[1]) * UNIT_SECONDS[span[2]]
    elif _UNIX.fullmatch(text):
        expires = int(text)
    else:
        raise ValueError("specify a span such as 30m, 1h or 7d, or a Unix time")
    if not now_s < expires <= LATEST_EXPIRY:
        raise ValueError(f"specify a time in the future: the current Unix time is {now_s}")
    return expires
