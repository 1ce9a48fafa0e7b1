"""The links of an image: one recipe as a URL, a `srcset`, an `<img>` and a `<picture>`."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from catalog.core.responsive import Candidate, Rendition
from catalog.images.schemas import Placeholder
from catalog.urls import markup
from catalog.urls.image_urls import ImageUrls
from catalog.urls.schemas import LinksView
from proxy.core.errors import LimitExceeded, RecipeError
from proxy.core.media.formats import AVIF, GIF, JPEG, PNG, WEBP, Format
from proxy.core.recipe import grammar
from proxy.core.recipe.recipe import Recipe


def describe_links(urls: ImageUrls, recipe: Recipe, widths: Sequence[int], sizes: str | None) -> LinksView:
    """Return the links of a recipe. Raise RecipeError or LimitExceeded."""
    image, planner = urls.image, urls.planner
    rendition, candidates = planner.plan(recipe), planner.candidates(recipe, widths)
    by_width = bool(candidates) and candidates[0].descriptor.endswith("w")
    sizes = (sizes or _default_sizes(rendition)) if by_width else None
    view = LinksView(
        url=urls.url(recipe),
        width=rendition.size.width if rendition.size else None,
        height=rendition.size.height if rendition.size else None,
        format=rendition.format,
        srcset=urls.srcset(candidates),
        sizes=sizes,
        alt=image.alt_text,
        placeholder=Placeholder(thumbhash=image.thumbhash, color=image.color),
        img=None,
        picture=None,
    )
    if not candidates:
        return view
    return view.model_copy(
        update={
            "img": _img(urls, rendition, candidates, sizes),
            "picture": _picture(urls, recipe, widths, sizes),
        }
    )


def _img(urls: ImageUrls, rendition: Rendition, candidates: Sequence[Candidate], sizes: str | None) -> str:
    return markup.img(
        urls.url(rendition.recipe),
        srcset=urls.srcset(candidates),
        sizes=sizes,
        size=rendition.size,
        alt=urls.image.alt_text,
        color=urls.image.color,
    )


def _picture(urls: ImageUrls, recipe: Recipe, widths: Sequence[int], sizes: str | None) -> str:
    better, last = _formats(urls, recipe)
    sources = []
    for image_format in better:
        for candidates in _in_format(urls, recipe, image_format, widths):
            srcset = urls.srcset(candidates) or urls.url(candidates[0].rendition.recipe)
            sources.append(markup.Source(image_format.media_type, srcset))
    fallback = next(iter(_in_format(urls, recipe, last, widths)), urls.planner.candidates(recipe, widths))
    written = replace(recipe, format=fallback[0].rendition.recipe.format)
    return markup.picture(sources, sizes, _img(urls, urls.planner.plan(written), fallback, sizes))


def _in_format(
    urls: ImageUrls, recipe: Recipe, image_format: Format, widths: Sequence[int]
) -> list[Sequence[Candidate]]:
    """Return the candidates in a format; nothing where the recipe and the format do not fit together."""
    with suppress(RecipeError, LimitExceeded):
        written = grammar.parse(str(replace(recipe, format=image_format.name)))
        return [urls.planner.candidates(written, widths)]
    return []


def _formats(urls: ImageUrls, recipe: Recipe) -> tuple[Sequence[Format], Format]:
    """Return the formats of a `<picture>`, the best first, and the one that every browser reads."""
    expanded, facts = urls.planner.expand(recipe), urls.planner.facts
    is_still = expanded.still or expanded.frame is not None or expanded.page is not None
    if facts.format.animation and facts.frames > 1 and not is_still:
        return (WEBP,), GIF
    return (AVIF, WEBP), PNG if facts.alpha else JPEG


def _default_sizes(rendition: Rendition) -> str:
    """Return `sizes` for an image that is as wide as the page, up to its own width."""
    if rendition.size is None:
        return "100vw"
    return f"(max-width: {rendition.size.width}px) 100vw, {rendition.size.width}px"
