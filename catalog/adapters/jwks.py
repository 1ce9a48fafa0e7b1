"""JWKS over httpx: keys of identity providers, cached, rotated, and used on while the provider is out."""

import asyncio
import json
from dataclasses import dataclass
from time import monotonic

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization, import_key

from catalog.api.jwt import Issuer

log = structlog.get_logger("darkroom.jwks")

FRESH_S = 600.0
STALE_S = 86_400.0
PAUSE_S = 10.0
"""Least time between two requests to one provider, however many unknown key ids are sent."""
TIMEOUT_S = 3.0
MAX_BYTES = 262_144
MAX_KEYS = 100


@dataclass(slots=True)
class _Cached:
    keys: KeySet
    fetched_at: float


class JwksKeys:
    """A `KeysOf`: the keys of each issuer. Close it at the end."""

    def __init__(self, client: httpx.AsyncClient | None = None) -> None:
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)
        self._cached: dict[str, _Cached] = {}
        self._tried_at: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def __call__(self, issuer: Issuer, key_id: str | None) -> KeySet | None:
        """Return an issuer's keys, or None if there are none. An unknown key id has them fetched again, rarely."""
        if issuer.key:
            return KeySet([import_key(issuer.key, "oct" if issuer.algorithm.startswith("HS") else None)])
        async with self._locks.setdefault(issuer.issuer, asyncio.Lock()):
            cached, now = self._cached.get(issuer.issuer), monotonic()
            fresh = cached is not None and now - cached.fetched_at < FRESH_S
            if fresh and (key_id is None or _has(cached, key_id)):
                return None if cached is None else cached.keys
            if now - self._tried_at.get(issuer.issuer, -PAUSE_S) >= PAUSE_S:
                self._tried_at[issuer.issuer] = now
                await self._fetch(issuer)
            cached = self._cached.get(issuer.issuer)
            return cached.keys if cached is not None and now - cached.fetched_at < STALE_S else None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _fetch(self, issuer: Issuer) -> None:
        """Fetch the keys; what goes wrong is logged, and the cached ones stay."""
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client.stream("GET", issuer.jwks_url) as response:
                response.raise_for_status()
                body = b""
                async for chunk in response.aiter_bytes():
                    body = _appended(body, chunk)
            keys = KeySet.import_key_set(_signing_keys(json.loads(body)))
        except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError, TimeoutError) as error:
            log.warning("keys of an identity provider cannot be fetched", issuer=issuer.issuer, cause=repr(error)[:200])
            return
        self._cached[issuer.issuer] = _Cached(keys, monotonic())


def _appended(body: bytes, chunk: bytes) -> bytes:
    if len(body) + len(chunk) > MAX_BYTES:
        raise ValueError(f"the document has more than {MAX_BYTES} bytes")
    return body + chunk


def _signing_keys(document: object) -> "KeySetSerialization":
    """Return the keys of a JWKS document that may sign; secrets never come this way."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise TypeError("not a JWKS document")
    keys = [key for key in document["keys"][:MAX_KEYS] if isinstance(key, dict)]
    usable = [key for key in keys if key.get("kty") in {"RSA", "EC", "OKP"} and key.get("use", "sig") == "sig"]
    return {"keys": usable}


def _has(cached: _Cached | None, key_id: str) -> bool:
    return cached is not None and any(key.kid == key_id for key in cached.keys)
