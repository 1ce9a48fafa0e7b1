"""Seals: the vectors of the contract, the comparison with itsdangerous, rotation, and the canonical form."""

from hashlib import sha256

import itsdangerous
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.url.signing import NO_KEY, SEAL_LENGTH, SigningKey, verify

SECRET = "correct-horse-battery-staple"
H = sha256(b"one").hexdigest()
VECTORS = [
    (f"/t/acme/{H}/w320-h180-webp", "OeCAFYkyrny7KpySP1JiPLb_guz-lQ4lj32Sx93vxRs"),
    (f"/t/acme/{H}/w320-h180-webp?e=1893456000", "7pllKXUEWOCD-nLP3NfM4rFGWdhpCTQ9HHecvSb1oyk"),
    (f"/t/acme/{H}/~card-w640", "-jnTzrC7DCu7reS_hJ4eqoZPcig1nSfSlVlOYkYF6sY"),
]
KEY = SigningKey.derive(SECRET)


@pytest.mark.parametrize(("text", "seal"), VECTORS)
def test_the_published_vectors_hold(text: str, seal: str) -> None:
    assert KEY.seal(text) == seal
    assert verify([KEY], text, seal)


@given(st.text(min_size=1), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80))
def test_itsdangerous_makes_the_same_seal(secret: str, text: str) -> None:
    signer = itsdangerous.Signer(secret.encode(), salt="darkroom.url", key_derivation="hmac", digest_method=sha256)
    assert SigningKey.derive(secret).seal(text) == signer.get_signature(text).decode()


@pytest.mark.parametrize(
    "wrong", ["", "=", "é", VECTORS[0][1] + "=", VECTORS[0][1][:-1], VECTORS[1][1], VECTORS[0][1][:-1] + "t"]
)
def test_any_other_text_is_no_seal(wrong: str) -> None:
    """The last text decodes to the same 32 bytes: base64url has four encodings of the last character of a digest."""
    assert not verify([KEY], VECTORS[0][0], wrong)


def test_every_key_of_a_tenant_verifies() -> None:
    old, new = SigningKey.derive("old-secret"), SigningKey.derive("new-secret")
    for key in (old, new):
        assert verify([new, old], "/t/a", key.seal("/t/a"))
    assert not verify([new], "/t/a", old.seal("/t/a"))


def test_no_seal_fits_a_tenant_without_keys() -> None:
    assert not verify([], "/t/a", KEY.seal("/t/a"))


def test_a_key_hides_itself() -> None:
    assert KEY.key.hex() not in repr(KEY)
    assert repr(KEY) == "SigningKey()"


def test_a_seal_has_its_length() -> None:
    assert len(NO_KEY.seal("/t/a")) == SEAL_LENGTH
