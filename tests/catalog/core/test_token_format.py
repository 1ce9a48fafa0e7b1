"""API tokens: their spelling, their checksum, and what is stored of them."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.core.token_format import ApiToken


def test_a_token_is_read_back_from_its_text() -> None:
    token = ApiToken.generate(secrets.choice)
    assert ApiToken.parse(str(token)) == token
    assert len(str(token)) == 4 + 12 + 1 + 32 + 6


@given(st.integers(0, 54), st.sampled_from("0Az"))
def test_a_typing_error_is_noticed_without_a_look_up(position: int, character: str) -> None:
    text = str(ApiToken("0" * 12, "a" * 32))
    changed = text[:position] + character + text[position + 1 :]
    assert (ApiToken.parse(changed) is None) == (changed != text)


@pytest.mark.parametrize("text", ["", "drk_", "drk_" + "a" * 51, "Bearer x", "drk_" + "é" * 51, "drk_" + "a" * 100_000])
def test_other_text_is_no_token(text: str) -> None:
    assert ApiToken.parse(text) is None


def test_only_a_digest_is_stored_and_the_secret_is_not_shown() -> None:
    token = ApiToken.generate(secrets.choice)
    assert token.matches(token.digest())
    assert not token.matches(ApiToken.generate(secrets.choice).digest())
    assert token.secret not in repr(token)
    assert token.secret not in token.digest()
