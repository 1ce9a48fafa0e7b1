"""Folding: texts to the words by which they are found, the same for texts, searches and both databases.

Accents and case are removed (Unicode NFKD and case folding), and what is not a letter or digit separates words. An
ideograph, a kana or a Hangul syllable is a word of its own, because these scripts put no blanks between words.
"""

import unicodedata
from typing import Final

LONGEST_WORD: Final = 64
_UNDECOMPOSED: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"}
)
_SHORTEST_TYPO: Final = 4
"""Shorter words have too many neighbours to forgive a typing error."""
_SINGLE: Final = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7AF), (0x20000, 0x3FFFF))
_FIRST_SINGLE: Final = 0x3040


def words_of(text: str) -> list[str]:
    """Return the folded words of a text, in order."""
    words: list[str] = []
    word: list[str] = []
    for character in fold(text):
        if character.isalnum() and not _is_single(character):
            word.append(character)
            continue
        if word:
            words.append("".join(word)[:LONGEST_WORD])
            word = []
        if character.isalnum():
            words.append(character)
    if word:
        words.append("".join(word)[:LONGEST_WORD])
    return words


def fold(text: str) -> str:
    """Return a text without case and accents."""
    # Hangul is composed again: a decomposed syllable would be three words
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return unicodedata.normalize("NFC", bare).translate(_UNDECOMPOSED)


def forgives_typos(word: str) -> bool:
    """Return whether a word is long enough, and without digits: 1234 and 1235 are two numbers, not one misspelled."""
    return len(word) >= _SHORTEST_TYPO and word.isalpha()


def variants_of(word: str) -> set[str]:
    """Return the word and what is left of it when one letter is deleted.

    Two words that differ by one letter (another, one more, one less, two swapped) have a variant in common.
    """
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def differ_by_one(first: str, second: str) -> bool:
    """Return whether one letter is another, missing or too many, or two neighbours are swapped."""
    if first == second or abs(len(first) - len(second)) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    if len(first) != len(second):
        long, short = (first, second) if len(first) > len(second) else (second, first)
        return long[at + 1 :] == short[at:]
    swapped = first[at : at + 2] == second[at : at + 2][::-1] and first[at + 2 :] == second[at + 2 :]
    return swapped or first[at + 1 :] == second[at + 1 :]


def _is_single(character: str) -> bool:
    code = ord(character)
    return code >= _FIRST_SINGLE and any(first <= code <= last for first, last in _SINGLE)
