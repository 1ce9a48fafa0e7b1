"""Typing errors: the words of a tenant's images that an unknown word of a search differs from by one letter."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from catalog.core.search.folding import differ_by_one, forgives_typos, variants_of, words_of
from catalog.core.search.tree import And, Field, Node, Not, Or, Text
from catalog.records.search import SearchTerm, SearchVariant
from catalog.search.compiler import LAST
from proxy.core.identifiers import TenantName

_MOST: Final = 50
"""Words that one word is corrected to."""


async def find_corrections(session: AsyncSession, tenant: TenantName, node: Node | None) -> Mapping[str, Sequence[str]]:
    """Return corrections of the words that no image of the tenant has; a word that an image has means itself."""
    corrections: dict[str, Sequence[str]] = {}
    for word, prefix in sorted(_correctable(node)):
        if not await _is_known(session, tenant, word, prefix=prefix):
            query = (
                select(SearchVariant.term)
                .where(SearchVariant.tenant == tenant, col(SearchVariant.variant).in_(variants_of(word)))
                .distinct()
                .order_by(SearchVariant.term)
                .limit(_MOST * 4)
            )
            near = [term for term in await session.scalars(query) if differ_by_one(word, term)]
            corrections[word] = near[:_MOST]
    return corrections


async def _is_known(session: AsyncSession, tenant: TenantName, word: str, *, prefix: bool) -> bool:
    term = col(SearchTerm.term)
    query = select(SearchTerm.term).where(SearchTerm.tenant == tenant)
    query = query.where(term >= word, term < word + LAST) if prefix else query.where(term == word)
    return (await session.scalars(query.limit(1))).first() is not None


def _correctable(node: Node | None) -> set[tuple[str, bool]]:
    """Return the single words of a tree that may be mistyped, and whether each is a beginning."""
    if isinstance(node, And | Or):
        return set().union(*map(_correctable, node.nodes))
    if isinstance(node, Not):
        return set()
    text = node.value if isinstance(node, Field) and node.name in {"name", "title", "alt", "caption"} else node
    if not isinstance(text, Text) or text.phrase:
        return set()
    words = words_of(text.text)
    return {(words[0], text.prefix)} if len(words) == 1 and forgives_typos(words[0]) else set()
