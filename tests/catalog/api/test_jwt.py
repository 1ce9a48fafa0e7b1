"""JWT of trusted issuers: what is accepted, and every known way to be accepted wrongly."""

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from catalog.adapters import jwks
from catalog.adapters.jwks import JwksKeys
from catalog.api.jwt import Issuer, JwtVerifier
from catalog.core.roles import Principal, Role, Scope
from proxy.core.identifiers import TenantName

NOW = 1_800_000_000
URL = "https://id.example/jwks"
ISSUER = Issuer("https://id.example", "darkroom", "ES256", jwks_url=URL, roles={"staff": "editor"})
KEY = ECKey.generate_key("P-256", {"kid": "one"})
OTHER = ECKey.generate_key("P-256", {"kid": "two"})
RSA = RSAKey.generate_key(2048, {"kid": "one"})


def claims(**changes: object) -> dict[str, Any]:
    made = {
        "iss": "https://id.example",
        "aud": ["darkroom", "other"],
        "sub": "ada",
        "iat": NOW - 10,
        "exp": NOW + 300,
        "tenant": "acme",
        "role": "staff",
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def signed(content: dict[str, Any] | None = None, key: Any = KEY, **header: object) -> str:  # noqa: ANN401 - any key
    return jwt.encode({"alg": "ES256", "kid": "one"} | header, content or claims(), key)


async def keys_of(_: Issuer, __: str | None) -> KeySet:
    return KeySet([KEY])


def verifier(issuer: Issuer = ISSUER) -> JwtVerifier:
    return JwtVerifier([issuer], keys_of, lambda: NOW)


async def test_a_good_token_is_a_principal() -> None:
    assert await verifier()(signed()) == Principal("user:ada", TenantName("acme"), Role.EDITOR)
    narrowed = signed(claims(darkroom_scope="read upload", role=["viewer", "admin"]))
    assert await verifier()(narrowed) == Principal(
        "user:ada", TenantName("acme"), Role.ADMIN, frozenset({Scope.READ, Scope.UPLOAD})
    )


async def test_clocks_may_differ_by_a_minute() -> None:
    assert await verifier()(signed(claims(exp=NOW - 59))) is not None
    assert await verifier()(signed(claims(exp=NOW - 61))) is None
    assert await verifier()(signed(claims(nbf=NOW + 300))) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None}, {"aud": None}, {"exp": None}, {"iat": None}, {"sub": None}, {"tenant": None}, {"role": None},
        {"iss": "https://evil.example"}, {"aud": "other"}, {"iss": ["https://id.example"]},
        {"role": "root"}, {"role": []}, {"role": 5}, {"tenant": "No Name"}, {"tenant": 5}, {"sub": ""}, {"sub": "a\nb"},
        {"sub": "x" * 201}, {"darkroom_scope": "fly"}, {"exp": "soon"}, {"iat": NOW + 3_600},
    ],
)  # fmt: skip
async def test_claims_that_are_wrong_or_missing(changes: dict[str, object]) -> None:
    assert await verifier()(signed(claims(**changes))) is None


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _mac(public_key: bytes) -> str:
    """Sign with the public key as an HMAC secret: the algorithm swap."""
    text = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(claims())}"
    seal = base64.urlsafe_b64encode(hmac.digest(public_key, text.encode(), "sha256")).rstrip(b"=").decode()
    return f"{text}.{seal}"


@pytest.mark.parametrize(
    "text",
    [
        lambda: f"{_part({'alg': 'none'})}.{_part(claims())}.",
        lambda: f"{_part({'alg': 'None'})}.{_part(claims())}.",
        lambda: _mac(KEY.as_pem(private=False)),
        lambda: jwt.encode({"alg": "RS256", "kid": "one"}, claims(), RSA),
        lambda: signed(key=OTHER),
        lambda: signed(jku="https://evil.example/jwks"),
        lambda: signed(x5u="https://evil.example/cert"),
        lambda: signed(jwk=OTHER.as_dict(private=False)),
        lambda: signed()[:-4] + "AAAA",
        lambda: signed().replace(".", ".."),
        lambda: "a.b.c",
        lambda: ".".join(("x" * 3_000,) * 3),
        lambda: f"{_part({'alg': 'ES256', 'kid': ['one']})}.{_part(claims())}.x",
    ],
)
async def test_tokens_that_nobody_trusted_signed(text: Callable[[], str]) -> None:
    assert await verifier()(text()) is None


@respx.mock
async def test_keys_are_fetched_cached_rotated_and_used_while_the_provider_is_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(jwks, "monotonic", lambda: clock[0])
    route = respx.get(URL).mock(return_value=httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]}))
    keys = JwksKeys()
    check = JwtVerifier([ISSUER], keys, lambda: NOW)
    for _ in range(3):
        assert await check(signed()) is not None
    assert route.call_count == 1
    rotated = {"keys": [KEY.as_dict(private=False), OTHER.as_dict(private=False)]}
    route.mock(return_value=httpx.Response(200, json=rotated))
    clock[0] += jwks.PAUSE_S
    assert await check(signed(key=OTHER, kid="two")) is not None
    for number in range(20):
        assert await check(signed(key=OTHER, kid=f"guess {number}")) is None
    assert route.call_count == 2
    route.mock(side_effect=httpx.ConnectError("out"))
    clock[0] += jwks.FRESH_S
    assert await check(signed()) is not None
    clock[0] += jwks.STALE_S
    assert await check(signed()) is None
    await keys.close()


@respx.mock
async def test_many_tokens_at_once_fetch_the_keys_once() -> None:
    route = respx.get(URL).mock(return_value=httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]}))
    keys = JwksKeys()
    check = JwtVerifier([ISSUER], keys, lambda: NOW)
    found = await asyncio.gather(*(check(signed()) for _ in range(20)))
    assert all(principal is not None for principal in found)
    assert route.call_count == 1
    await keys.close()


@respx.mock
async def test_a_provider_that_was_never_reached_is_asked_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(jwks, "monotonic", lambda: clock[0])
    route = respx.get(URL).mock(side_effect=httpx.ConnectTimeout("out"))
    keys = JwksKeys()
    check = JwtVerifier([ISSUER], keys, lambda: NOW)
    assert [await check(signed()) for _ in range(5)] == [None] * 5
    assert route.call_count == 1
    route.mock(return_value=httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]}))
    clock[0] += jwks.PAUSE_S
    assert await check(signed()) is not None
    await keys.close()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://evil.example"}),
        httpx.Response(200, content=b"nonsense"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]}),
        httpx.Response(200, content=b"x" * (jwks.MAX_BYTES + 1)),
    ],
)
@respx.mock
async def test_documents_that_are_no_keys_are_no_keys(answer: httpx.Response) -> None:
    respx.get(URL).mock(return_value=answer)
    keys = JwksKeys()
    assert await JwtVerifier([ISSUER], keys, lambda: NOW)(signed()) is None
    await keys.close()


@pytest.mark.parametrize("wrong", [{"algorithm": "none"}, {"key": "x" * 32, "jwks_url": URL}, {"jwks_url": ""}])
def test_an_issuer_has_one_algorithm_and_one_place_of_keys(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="specify"):
        Issuer(**{"issuer": "i", "audience": "a", "algorithm": "ES256", "jwks_url": URL, **wrong})  # type: ignore[arg-type]
