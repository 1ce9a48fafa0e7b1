"""Ladders of unsigned presets as the database stores them."""

import json
from functools import lru_cache

import structlog

from proxy.core.errors import RecipeError
from proxy.core.recipe.presets import NO_LADDER, Ladder, parse_ladder

log = structlog.get_logger("darkroom.presets")


@lru_cache(maxsize=4_096)
def read_ladder(text: str | None) -> Ladder:
    """Parse the ladder of a preset; numbers that this version does not accept leave it without one, and are logged."""
    if text is None:
        return NO_LADDER
    try:
        stored = json.loads(text)
        return parse_ladder(map(str, stored["widths"]), map(str, stored["dprs"]))
    except (RecipeError, ValueError, KeyError, TypeError) as error:
        log.warning("the ladder of a preset is no longer valid; it is ignored", ladder=text, cause=str(error))
        return NO_LADDER


def write_ladder(ladder: Ladder) -> str | None:
    """Return the text that `read_ladder` reads."""
    if ladder == NO_LADDER:
        return None
    return json.dumps({"widths": ladder.widths, "dprs": ladder.dpr_texts})
