"""The parser of searches.

    search     = alternatives
    alternatives = words *( "OR" words )
    words      = 1*term                                 ; all of them
    term       = [ "-" | "NOT" ] ( "(" alternatives ")" | field | text )
    field      = name [ "." key ] ":" value
    text       = word [ "*" ] | "phrase"

Theory. Recursive descent over tokens, with a bound on length, terms and depth, so that no text is expensive. A colon
belongs to a field only where a field's name is before it without a blank; other names are refused with the nearest one,
because a misspelled field would silently find nothing.
"""

from difflib import get_close_matches
from typing import Final

from catalog.core.search.faults import SearchFault
from catalog.core.search.fields import FIELDS, FieldRule, Kind
from catalog.core.search.scanner import Mark, Token, scan
from catalog.core.search.tree import And, Field, Node, Not, Or, Text, Value
from catalog.core.search.values import WrongValue, read_value

MAX_LENGTH: Final = 1_000
MAX_TERMS: Final = 64
MAX_DEPTH: Final = 16
_TEXTS: Final = frozenset({Kind.TEXT, Kind.ENTITY})
_TERM_STARTS: Final = frozenset({Mark.WORD, Mark.PHRASE, Mark.OPEN, Mark.MINUS, Mark.COLON})


def parse(text: str) -> Node | None:
    """Return the tree of a search; None for one without words, which finds everything. Raise SearchFault."""
    if len(text) > MAX_LENGTH:
        raise SearchFault(text, MAX_LENGTH, 1, f"A search has at most {MAX_LENGTH} characters.")
    nul = text.find("\0")
    if nul >= 0:
        raise SearchFault(text, nul, 1, "A search cannot contain a NUL character: remove it.")
    parser = _Parser(text)
    return None if parser.at_end else parser.parse()


class _Parser:
    """The state of one parse: the tokens and the place among them."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = scan(text)
        self._at = 0
        self._terms = 0

    @property
    def at_end(self) -> bool:
        """Whether no token is left."""
        return self._here.mark is Mark.END

    def parse(self) -> Node:
        """Return the tree of all tokens."""
        node = self._alternatives(0)
        if not self.at_end:
            raise self._fault(self._here, "There is no ( for this ): remove it.")
        return node

    @property
    def _here(self) -> Token:
        return self._tokens[self._at]

    def _alternatives(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._fault(self._here, f"Parentheses go at most {MAX_DEPTH} deep.")
        nodes = [self._words(depth)]
        while self._is_word("OR"):
            self._at += 1
            nodes.append(self._words(depth))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _words(self, depth: int) -> Node:
        nodes = []
        while self._here.mark in _TERM_STARTS and not self._is_word("OR"):
            nodes.append(self._term(depth))
        if not nodes:
            raise self._fault(self._here, "A word, a phrase or a field is expected here.")
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _term(self, depth: int) -> Node:
        token = self._here
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._fault(token, f"A search has at most {MAX_TERMS} words.")
        if token.mark is Mark.MINUS or self._is_word("NOT"):
            self._at += 1
            if self._here.mark not in _TERM_STARTS or self._is_word("OR"):
                raise self._fault(self._here, "What is to be excluded is missing: write it behind the - or NOT.")
            if depth > MAX_DEPTH:
                raise self._fault(token, f"Exclusions go at most {MAX_DEPTH} deep.")
            return Not(self._term(depth + 1))
        if token.mark is Mark.OPEN:
            return self._group(depth)
        if token.mark is Mark.COLON:
            raise self._fault(token, "A field's name is missing before the colon; put a text with a colon in quotes.")
        self._at += 1
        if self._here.mark is Mark.COLON and not self._here.apart and token.mark is Mark.WORD:
            return self._field(token, "")
        if token.mark is Mark.WORD and token.text == "meta." and self._here.mark is Mark.PHRASE:
            key = self._here
            self._at += 1
            return self._field(token, key.text)
        return self._with_star(token)

    def _group(self, depth: int) -> Node:
        opened = self._here
        self._at += 1
        node = self._alternatives(depth + 1)
        if self._here.mark is not Mark.CLOSE:
            raise self._fault(opened, "There is no ) for this (: write it behind the last word of the group.")
        self._at += 1
        return node

    def _field(self, name: Token, quoted_key: str) -> Node:
        rule, key = self._rule(name, quoted_key)
        if self._here.mark is not Mark.COLON:
            raise self._fault(name, 'A colon is expected behind the key: meta."key":value.')
        self._at += 1
        token = self._here
        if token.apart or token.mark not in {Mark.WORD, Mark.PHRASE}:
            raise self._fault(token, f"{rule.name} takes {rule.kind.value}, directly behind the colon.")
        self._at += 1
        return Field(rule.name, self._value(rule, token), key)

    def _rule(self, name: Token, quoted_key: str) -> tuple[FieldRule, str]:
        word, point, key = name.text.partition(".")
        key = quoted_key or key
        rule = FIELDS.get(word.lower())
        if rule is None:
            nearest = get_close_matches(word.lower()[:32], FIELDS, 1, 0.6)
            hint = f" Do you mean {nearest[0]}?" if nearest else f" There are {', '.join(FIELDS)}."
            raise self._fault(name, f"There is no field {word[:40]}.{hint}")
        if (rule.name == "meta") != bool(key) or (point and rule.name != "meta"):
            raise self._fault(name, "Only meta has keys, and it needs one: meta.sku:42.")
        return rule, key

    def _value(self, rule: FieldRule, token: Token) -> Value:
        if token.mark is Mark.PHRASE:
            if rule.kind not in _TEXTS:
                raise self._fault(token, f"{rule.name} takes {rule.kind.value}, without quotation marks.")
            return self._with_star(token)
        text, end = token.text, token.end
        # a value may go on behind a colon: times, URLs and ids of entities contain some
        while self._here.mark in {Mark.COLON, Mark.WORD} and not self._here.apart and rule.kind in _TEXTS:
            text, end = text + self._here.text, self._here.end
            self._at += 1
        try:
            return read_value(rule, text)
        except WrongValue as error:
            raise SearchFault(self._text, token.start, end - token.start, str(error)) from None

    def _with_star(self, token: Token) -> Text:
        if token.mark is Mark.PHRASE:
            star = self._here
            if not token.text.strip():
                raise self._fault(token, "The phrase is empty: write words between the quotation marks.")
            if star.mark is Mark.WORD and star.text == "*" and not star.apart:
                self._at += 1
                return Text(token.text, phrase=True, prefix=True)
            return Text(token.text, phrase=True)
        stem = token.text.removesuffix("*")
        if "*" in stem or not stem:
            raise self._fault(token, "A * stands at the end of a word: put a text with a * in quotation marks.")
        return Text.of(stem, prefix=stem != token.text)

    def _is_word(self, word: str) -> bool:
        return self._here.mark is Mark.WORD and self._here.text == word

    def _fault(self, token: Token, reason: str) -> SearchFault:
        return SearchFault(self._text, token.start, token.end - token.start, reason)
