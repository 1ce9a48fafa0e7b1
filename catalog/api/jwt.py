"""JWT: bearer tokens of identity providers that the settings trust (RFC 7519, RFC 8725).

Each issuer has one fixed algorithm, one audience, and either a key or a JWKS URL. The algorithm of a token's header is
never obeyed, only compared: `none` and algorithm swaps fail. `kid` only selects among the issuer's own keys; `jku`,
`x5u`, `jwk` and `x5c` are refused.
"""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from catalog.core.roles import Principal, Role, Scope
from proxy.core.identifiers import tenant_name

ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519", "HS256"})
LEEWAY_S = 60
MAX_TOKEN_LENGTH = 8_000
MAX_SUBJECT_LENGTH = 200
_REFUSED_HEADERS: Final = frozenset({"jku", "x5u", "jwk", "x5c", "crit", "b64"})

KeysOf = Callable[["Issuer", str | None], Awaitable[KeySet | None]]
"""Return the keys of an issuer; the key id lets a source fetch them again when it is unknown."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """One identity provider."""

    issuer: str
    """Compared with `iss`."""
    audience: str
    """Has to be in `aud`."""
    algorithm: str
    jwks_url: str = ""
    key: str = field(default="", repr=False)
    """A PEM or a secret, in place of a JWKS URL."""
    tenant_claim: str = "tenant"
    role_claim: str = "role"
    subject_claim: str = "sub"
    roles: Mapping[str, str] = field(default_factory=dict)
    """Claim's value → role, where they differ."""

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm: specify one of {', '.join(sorted(ALGORITHMS))}")
        if bool(self.jwks_url) == bool(self.key):
            raise ValueError("specify either jwks_url or key")


def read_issuers(text: str) -> list[Issuer]:
    """Return the issuers of a setting: a JSON list of objects with the names of `Issuer`. Raise ValueError."""
    if not text:
        return []
    try:
        return [Issuer(**values) for values in json.loads(text)]
    except TypeError as error:
        raise ValueError(f"specify a JSON list of objects: {error}") from None


class JwtVerifier:
    """Verifies tokens of the trusted issuers; `clock` returns Unix seconds."""

    def __init__(self, issuers: Sequence[Issuer], keys_of: KeysOf, clock: Callable[[], float] = time) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys_of = keys_of
        self._clock = clock

    async def __call__(self, text: str) -> Principal | None:
        """Return whom a token stands for, or None for any fault."""
        if len(text) > MAX_TOKEN_LENGTH or text.count(".") != 2:  # noqa: PLR2004 - a JWS in compact form
            return None
        header, claims = _peek(text)
        if header is None or claims is None or _REFUSED_HEADERS & header.keys():
            return None
        issuer = self._issuers.get(claims.get("iss", "")) if isinstance(claims.get("iss"), str) else None
        key_id = header.get("kid")
        if issuer is None or header.get("alg") != issuer.algorithm or not isinstance(key_id, str | None):
            return None
        keys = await self._keys_of(issuer, key_id)
        return None if keys is None else self._principal(text, issuer, keys)

    def _principal(self, text: str, issuer: Issuer, keys: KeySet) -> Principal | None:
        registry = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            token = jwt.decode(text, keys, algorithms=[issuer.algorithm])
            registry.validate(token.claims)
            return _to_principal(token.claims, issuer)
        except (JoseError, ValueError, KeyError, TypeError):
            return None


def _to_principal(claims: Mapping[str, Any], issuer: Issuer) -> Principal:
    """Return the principal that claims describe. Raise ValueError, KeyError or TypeError if they do not."""
    subject, named = claims[issuer.subject_claim], claims[issuer.role_claim]
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise ValueError("the subject is not a short text")
    roles = [Role.parse(issuer.roles.get(name, name)) for name in ([named] if isinstance(named, str) else named)]
    scope = claims.get("darkroom_scope", "")
    scopes = frozenset(Scope(name) for name in scope.split()) if isinstance(scope, str) else frozenset[Scope]()
    return Principal(f"user:{subject}", tenant_name(claims[issuer.tenant_claim]), max(roles), scopes)


def _peek(text: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return header and claims as they are written, to choose the issuer by; nothing of it is believed."""
    header, claims, _ = text.split(".")
    return _object(header), _object(claims)


def _object(part: str) -> dict[str, Any] | None:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return value if isinstance(value, dict) else None
