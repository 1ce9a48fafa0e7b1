"""The scanner: a search's text to tokens, in one pass without regular expressions."""

from dataclasses import dataclass
from enum import Enum

from catalog.core.search.faults import SearchFault

_ENDS = frozenset('()":')


class Mark(Enum):
    """What a token is."""

    WORD = "word"
    PHRASE = "phrase"
    OPEN = "("
    CLOSE = ")"
    MINUS = "-"
    COLON = ":"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token, where it begins and ends, and whether a blank or a parenthesis is before it."""

    mark: Mark
    text: str
    start: int
    end: int
    apart: bool


def scan(text: str) -> list[Token]:
    """Return the tokens, the last of which is END. Raise SearchFault for a phrase that does not end."""
    tokens: list[Token] = []
    at, apart = 0, True
    while at < len(text):
        character = text[at]
        if character.isspace():
            at, apart = at + 1, True
            continue
        token = _read(text, at, apart=apart)
        tokens.append(token)
        at, apart = token.end, token.mark in {Mark.OPEN, Mark.CLOSE}
    tokens.append(Token(Mark.END, "", len(text), len(text), apart=True))
    return tokens


def _read(text: str, start: int, *, apart: bool) -> Token:
    character = text[start]
    if character in "():":
        return Token(Mark(character), character, start, start + 1, apart)
    if character == "-" and apart:
        return Token(Mark.MINUS, character, start, start + 1, apart)
    if character == '"':
        return _read_phrase(text, start, apart=apart)
    end = start
    while end < len(text) and text[end] not in _ENDS and not text[end].isspace():
        end += 1
    return Token(Mark.WORD, text[start:end], start, end, apart)


def _read_phrase(text: str, start: int, *, apart: bool) -> Token:
    characters: list[str] = []
    at = start + 1
    while at < len(text):
        if text[at] == '"':
            return Token(Mark.PHRASE, "".join(characters), start, at + 1, apart)
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in '"\\':
            at += 1
        characters.append(text[at])
        at += 1
    raise SearchFault(text, start, len(text) - start, 'The phrase does not end: write " behind its last word.')
