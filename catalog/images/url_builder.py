"""Links: the URLs that the catalog mints. What is wrong with one is said before it is sealed, never after."""

import re
from dataclasses import replace

from catalog.core.focus_geometry import Subject
from proxy.core.recipe import grammar
from proxy.core.recipe.presets import apply_presets
from proxy.core.recipe.recipe import Recipe
from proxy.core.tenant import Tenant
from proxy.core.url.link import Link, parse_target
from proxy.core.url.signing import SEAL_LENGTH

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
LATEST_EXPIRY = 99_999_999_999
"""The largest a URL can hold: eleven digits."""

_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_UNIX = re.compile(r"[1-9][0-9]{0,10}")


def read_path(path: str, expires: int | None = None) -> Link:
    """Check a path's shape, recipe and length as a URL.

    MalformedRequest, RecipeError or TargetTooLong say what is wrong.
    """
    seal = "s=" + "0" * SEAL_LENGTH
    query = seal if expires is None else f"e={expires}&{seal}"
    link = parse_target(path.encode("utf-8", "surrogateescape"), query.encode())
    grammar.parse(link.recipe)
    return link


def mint_url(base_url: str, tenant: Tenant, link: Link, subject: Subject | None = None) -> str:
    """Seal a link with the tenant's newest key and give the whole URL; RecipeError for a name the tenant lacks.

    `subject` is what the original is about: a cover crop whose place the recipe leaves open is put there, for good.
    """
    link = _focused(link, apply_presets(grammar.parse(link.recipe), tenant.presets, tenant.watermarks), subject)
    seal = tenant.keys[0].seal(link.sealed_text)
    joint = "?" if link.expires is None else "&"
    return f"{base_url.rstrip('/')}{link.sealed_text}{joint}s={seal}"


def _focused(link: Link, ruled_recipe: Recipe, subject: Subject | None) -> Link:
    placed = ruled_recipe.gravity is not None or ruled_recipe.focus is not None
    if subject is None or placed or not ruled_recipe.crops_to_cover:
        return link
    focus = subject.seen(ruled_recipe)
    if focus is None:
        return link
    recipe = replace(grammar.parse(link.recipe), focus=focus)
    return read_path(f"/t/{link.tenant}/{link.original}/{recipe}", link.expires)


def read_expiry(text: str, now_s: int) -> int:
    """Read a span (`90s`, `30m`, `1h`, `7d`) or a Unix time into a later Unix time; ValueError says the rule."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        expires = now_s + int(span[1]) * SECONDS[span[2]]
    elif _UNIX.fullmatch(text):
        expires = int(text)
    else:
        raise ValueError("say a span like 30m, 1h or 7d, or a Unix time")
    if not now_s < expires <= LATEST_EXPIRY:
        raise ValueError(f"say a moment that is still to come: the Unix time is {now_s} now")
    return expires
