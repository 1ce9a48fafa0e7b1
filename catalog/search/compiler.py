"""A search's tree to SQL: a condition on the image table with bound values, the same on both databases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, and_, cast, false, func, literal, not_, or_, select

from catalog.core.search.fields import FIELDS as RULES
from catalog.core.search.folding import words_of
from catalog.core.search.tree import And, Field, Node, Not, Or, Text
from catalog.records.image import Image
from catalog.records.search import SearchTerm, SearchText
from catalog.search.columns import Condition, column, holds
from catalog.search.field_conditions import FieldConditions
from catalog.search.indexing import FIELDS
from proxy.core.identifiers import TenantName

LAST: Final = "\U0010ffff"
"""Behind every word that begins with what is before it."""
_ALL: Final = sum(FIELDS.values())


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles searches of one tenant; `corrections` are the words that unknown ones may be mistyped of."""

    tenant: TenantName
    now: datetime
    corrections: Mapping[str, Sequence[str]]

    def condition(self, node: Node) -> Condition:
        """Return the condition of a tree."""
        if isinstance(node, And):
            return and_(*map(self.condition, node.nodes))
        if isinstance(node, Or):
            return or_(*map(self.condition, node.nodes))
        if isinstance(node, Not):
            return not_(holds(self.condition(node.node)))
        return self._words(node, tuple(FIELDS)) if isinstance(node, Text) else self._field(node)

    def relevance(self, texts: Sequence[Text]) -> ColumnElement[int]:
        """Return how well an image's words match free words: the sum of the weights of the fields that have them."""
        conditions = [
            self._word(word, prefix=text.prefix and at == len(words) - 1, exact=text.phrase)
            for text, words in ((text, words_of(text.text)) for text in texts)
            for at, word in enumerate(words)
        ]
        if not conditions:
            return literal(0)
        total = select(func.coalesce(func.sum(column(SearchTerm, "weight")), 0)).where(
            column(SearchTerm, "tenant") == self.tenant,
            column(SearchTerm, "image") == column(Image, "id"),
            or_(*conditions),
        )
        return cast(total.scalar_subquery(), Integer)

    def _field(self, field: Field) -> Condition:
        conditions = FieldConditions(self.tenant, self.now)
        if not isinstance(field.value, Text):
            return conditions.range(field.name, field.value)
        if field.name == "tag":
            return self._tag(field.value)
        if field.name in FIELDS and RULES[field.name].name != "meta":
            return self._words(field.value, (field.name,))
        return conditions.text(field.name, field.key, field.value)

    def _words(self, text: Text, fields: Sequence[str]) -> Condition:
        """Match all words of a text in some of the fields; several words are a phrase in one of them."""
        words = words_of(text.text)
        if not words:
            return false()
        bits, last = sum(FIELDS[name] for name in fields), len(words) - 1
        found = [
            self._has_word(self._word(word, prefix=text.prefix and at == last, exact=text.phrase or last > 0), bits)
            for at, word in enumerate(words)
        ]
        if last:
            phrase = f"% {' '.join(words)}{'' if text.prefix else ' '}%"
            found.append(self._has_text(*(column(SearchText, name).like(phrase) for name in fields)))
        return and_(*found)

    def _tag(self, value: Text) -> Condition:
        """Match a whole tag, or its beginning."""
        words = words_of(value.text)
        if not words:
            return false()
        line = f"%\n {' '.join(words)}{'%' if value.prefix else f' {chr(10)}%'}"
        first = self._word(words[0], prefix=value.prefix and len(words) == 1, exact=True)
        return and_(self._has_word(first, FIELDS["tag"]), self._has_text(column(SearchText, "tag").like(line)))

    def _word(self, word: str, *, prefix: bool, exact: bool) -> Condition:
        """Return the condition on a term: the word, what begins with it, or what it may be mistyped of."""
        term = column(SearchTerm, "term")
        alternatives = () if exact else self.corrections.get(word, ())
        condition: Condition = term.in_([word, *alternatives]) if alternatives else term == word
        return and_(term >= word, term < word + LAST) if prefix and not alternatives else condition

    def _has_word(self, word: Condition, bits: int) -> Condition:
        query = select(column(SearchTerm, "image")).where(column(SearchTerm, "tenant") == self.tenant, word)
        if bits != _ALL:
            query = query.where(column(SearchTerm, "fields").op("&")(bits) != 0)
        return _is_in(query)

    def _has_text(self, *conditions: Condition) -> Condition:
        texts = select(column(SearchText, "image")).where(column(SearchText, "tenant") == self.tenant)
        return _is_in(texts.where(or_(*conditions)))


def _is_in(query: Any) -> Condition:  # noqa: ANN401 - a SELECT of images
    condition: Condition = column(Image, "id").in_(query)
    return condition
