"""Folding of texts to words, and words that differ by one letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.core.search.folding import LONGEST_WORD, differ_by_one, fold, forgives_typos, variants_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("IMG_1234.JPG", ["img", "1234", "jpg"]),
        ("Café Zürich", ["cafe", "zurich"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("Ærø Łódź Đà", ["aero", "lodz", "da"]),
        ("日本の写真 2026", ["日", "本", "の", "写", "真", "2026"]),
        ("한국어", ["한", "국", "어"]),
        ("o'clock - e-mail", ["o", "clock", "e", "mail"]),
        ("x" * 100, ["x" * LONGEST_WORD]),
        ("ﬁne ½", ["fine", "1", "2"]),
        ("😀 ☕", []),
    ],
)
def test_texts_become_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(max_size=60))
def test_folding_again_changes_nothing(text: str) -> None:
    assert words_of(" ".join(words_of(text))) == words_of(text)
    assert all(word.isalnum() for word in words_of(text))
    assert isinstance(fold(text), str)


@pytest.mark.parametrize("other", ["chir", "chairs", "chaar", "chiar", "hair", "cchair", "chaie"])
def test_one_letter_is_forgiven(other: str) -> None:
    assert differ_by_one("chair", other)
    assert differ_by_one(other, "chair")


@pytest.mark.parametrize("other", ["chair", "stuhl", "chains", "ch", "riahc", "hcari"])
def test_more_is_not(other: str) -> None:
    assert not differ_by_one("chair", other)


words = st.text("abcd", min_size=2, max_size=8)


@given(words, words)
def test_words_that_differ_by_one_letter_have_a_variant_in_common(first: str, second: str) -> None:
    if differ_by_one(first, second):
        assert variants_of(first) & variants_of(second)
        assert differ_by_one(second, first)


def test_short_words_and_numbers_mean_themselves() -> None:
    assert [word for word in ("cat", "chair", "12345", "a1b2c3") if forgives_typos(word)] == ["chair"]
