"""The index of a tenant's images: rows that are written in the transaction of the change that they follow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.search.folding import forgives_typos, variants_of, words_of
from catalog.core.search.oklab import oklab
from catalog.records.image import Image, ImageTag
from catalog.records.render_records import insert
from catalog.records.search import ImageColor, SearchTerm, SearchText, SearchVariant
from catalog.search.duplicates import index_duplicates

FIELDS: Final = {"name": 1, "title": 2, "alt": 4, "caption": 8, "tag": 16, "meta": 32}
"""Bit of each field that free words are looked for in."""
_WEIGHTS: Final = {"name": 4, "title": 8, "alt": 4, "caption": 2, "tag": 8, "meta": 1}
MAX_TERMS: Final = 1_000
"""Words of one image; what follows in long texts is not found."""


async def index_image(session: AsyncSession, image: Image) -> None:
    """Write what an image is found by, in place of what was there."""
    await session.flush()
    tags = select(ImageTag.tag).where(ImageTag.tenant == image.tenant, ImageTag.image == image.id)
    texts = texts_of(image, (await session.scalars(tags)).all())
    for table in (SearchTerm, SearchText, ImageColor):
        await session.execute(delete(table).where(col(table.image) == image.id, col(table.tenant) == image.tenant))
    terms = terms_of(texts)
    rows = [
        {"tenant": image.tenant, "term": term, "image": image.id, "fields": fields, "weight": weight}
        for term, (fields, weight) in terms.items()
    ]
    await _insert(session, SearchTerm, rows)
    folded = {name: folded_lines(parts) for name, parts in texts.items()}
    await _insert(session, SearchText, [{"image": image.id, "tenant": image.tenant, **folded}])
    colours = [
        {"image": image.id, "place": place, "tenant": image.tenant, **oklab(colour)._asdict()}
        for place, colour in enumerate(image.colors)
    ]
    await _insert(session, ImageColor, colours)
    await index_duplicates(session, image)
    await _learn(session, image.tenant, [term for term in terms if forgives_typos(term)])


async def remove_from_index(session: AsyncSession, tenant: str, images: Sequence[str]) -> None:
    """Remove images; their words stay known to the correction of typing errors, where they do no harm."""
    for table in (SearchTerm, SearchText, ImageColor):
        await session.execute(delete(table).where(col(table.tenant) == tenant, col(table.image).in_(images)))


async def find_unindexed(session: AsyncSession, limit: int) -> Sequence[Image]:
    """Return images of any tenant that are not in the index."""
    indexed = select(SearchText.image).where(SearchText.image == Image.id).exists()
    return (await session.scalars(select(Image).where(~indexed).limit(limit))).all()


def texts_of(image: Image, tags: Iterable[str]) -> dict[str, list[str]]:
    """Return the texts of each field."""
    return {
        "name": [image.file_name or ""],
        "title": [image.title or ""],
        "alt": [image.alt_text],
        "caption": [image.caption],
        "tag": sorted(tags),
        "meta": list(_values_of(image.custom)),
    }


def terms_of(texts: Mapping[str, Sequence[str]]) -> dict[str, tuple[int, int]]:
    """Return the words of texts, with the bits of their fields and what they count."""
    terms: dict[str, tuple[int, int]] = {}
    for name, parts in texts.items():
        for term in {word for text in parts for word in words_of(text)}:
            if term in terms or len(terms) < MAX_TERMS:
                fields, weight = terms.get(term, (0, 0))
                terms[term] = fields | FIELDS[name], weight + _WEIGHTS[name]
    return terms


def folded_lines(texts: Iterable[str]) -> str:
    """Return folded texts, one a line, with a blank before and behind each word."""
    return "\n" + "".join(f" {' '.join(words_of(text))} \n" for text in texts)


def _values_of(value: Any) -> Iterable[str]:  # noqa: ANN401 - a JSON document
    """Return the texts and numbers of a JSON document."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _values_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values_of(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


async def _learn(session: AsyncSession, tenant: str, terms: Sequence[str]) -> None:
    """Add the variants of words that the tenant's images have for the first time."""
    if not terms:
        return
    known = set(
        await session.scalars(
            select(SearchVariant.term).where(
                SearchVariant.tenant == tenant,
                col(SearchVariant.variant).in_(terms),
                col(SearchVariant.variant) == col(SearchVariant.term),
            )
        )
    )
    rows = [
        {"tenant": tenant, "variant": variant, "term": term}
        for term in sorted(set(terms) - known)
        for variant in sorted(variants_of(term))
    ]
    await _insert(session, SearchVariant, rows)


async def _insert(session: AsyncSession, table: type[Any], rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await session.execute(insert(session, table).on_conflict_do_nothing(), rows)
