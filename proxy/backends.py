"""Backends: from settings to the adapters that delivery reads and writes pictures with."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from proxy.adapters.bucket import open_s3
from proxy.adapters.files import FileDerivatives, FileOriginals, FileResolvedReferences
from proxy.adapters.http import HttpSources, open_http
from proxy.adapters.memory import MemoryDerivatives
from proxy.adapters.redis import RedisDerivatives
from proxy.adapters.s3 import S3Derivatives, S3Originals, S3ResolvedReferences
from proxy.adapters.s3_sources import S3Sources
from proxy.caching.tiers import TieredCache
from proxy.core.url.public_addresses import is_public
from proxy.ports import Derivatives, Originals, ResolvedReferences, Sources
from proxy.settings import Settings

_DERIVATIVE_BYTES = 256 * 2**20
"""Largest derivative that is kept and believed: more than the output limits let through."""
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)/?")


class SettingError(ValueError):
    """A setting that cannot be meant; the sentence names it and says what to write instead."""


@dataclass(frozen=True, slots=True)
class Backends:
    """Where pictures are kept."""

    originals: Originals
    derivatives: TieredCache
    resolved_references: ResolvedReferences


@asynccontextmanager
async def open_backends(settings: Settings, skipped: Callable[[str], None] | None = None) -> AsyncIterator[Backends]:
    """Open what the settings name, and close it at the end; SettingError when they cannot be meant.

    Servers need not be up: each call tells for itself. `skipped` is told a tier's name each time it is passed over.
    """
    async with AsyncExitStack() as stack:
        originals, durable, resolved_references = await _open_store(settings, stack)
        derivatives = TieredCache([*_memory(settings), *_redis(settings, stack), durable], skipped=skipped)
        stack.push_async_callback(derivatives.close)
        yield Backends(originals, derivatives, resolved_references)


@asynccontextmanager
async def open_sources(settings: Settings) -> AsyncIterator[Mapping[str, Sources]]:
    """Open what references lead to, by scheme, and close it at the end."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_http(_anywhere if settings.source_private else is_public))
        http, s3 = HttpSources(session), S3Sources()
        stack.push_async_callback(s3.close)
        yield {"https": http, "http": http, "s3": s3}


async def _open_store(settings: Settings, stack: AsyncExitStack) -> tuple[Originals, Derivatives, ResolvedReferences]:
    if settings.store_url:
        return await _open_bucket(settings, stack)
    files = (
        FileOriginals(settings.home, settings.source_bytes),
        FileDerivatives(settings.home, _DERIVATIVE_BYTES),
        FileResolvedReferences(settings.home),
    )
    for adapter in files:
        stack.callback(adapter.close)
        await adapter.sweep()
    return files


async def _open_bucket(settings: Settings, stack: AsyncExitStack) -> tuple[Originals, Derivatives, ResolvedReferences]:
    bucket, prefix = _bucket(settings.store_url)
    secret = settings.s3_secret_access_key.get_secret_value()
    if bool(settings.s3_access_key_id) != bool(secret):
        raise SettingError("DARKROOM_S3_ACCESS_KEY_ID and DARKROOM_S3_SECRET_ACCESS_KEY: set both, or neither")
    s3 = open_s3(settings.s3_region, _endpoint(settings.s3_endpoint_url), settings.s3_access_key_id, secret)
    client = await stack.enter_async_context(s3)
    originals = S3Originals(client, bucket, prefix, settings.source_bytes)
    derivatives = S3Derivatives(client, bucket, prefix, _DERIVATIVE_BYTES)
    return originals, derivatives, S3ResolvedReferences(client, bucket, prefix)


def _anywhere(_address: str) -> bool:
    return True


def _memory(settings: Settings) -> list[Derivatives]:
    return [MemoryDerivatives(settings.memory_cache_bytes)] if settings.memory_cache_bytes else []


def _redis(settings: Settings, stack: AsyncExitStack) -> list[Derivatives]:
    if not settings.redis_url:
        return []
    # the sentence leaves the URL out: it may hold a password
    wrong = SettingError("DARKROOM_REDIS_URL: write redis://host:6379/0, rediss://… or unix:///path, or leave it empty")
    try:
        parts = urlsplit(settings.redis_url)
        told = parts.path if parts.scheme == "unix" else parts.hostname
        if parts.scheme not in {"redis", "rediss", "unix"} or not told:
            raise wrong
        redis = RedisDerivatives(settings.redis_url, settings.redis_body_bytes, settings.redis_ttl_s)
    except ValueError:
        raise wrong from None
    stack.push_async_callback(redis.close)
    return [redis]


def _bucket(url: str) -> tuple[str, str]:
    """Take `s3://bucket/prefix` apart; the prefix may be empty."""
    found = _BUCKET.fullmatch(url)
    if not found:
        raise SettingError(
            f"DARKROOM_STORE_URL: {url!r} names no store; write s3://bucket/prefix (letters, digits, . _ - in the "
            "prefix), or leave it empty for the home folder"
        )
    return found[1], found[2].removeprefix("/")


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise SettingError(
            f"DARKROOM_S3_ENDPOINT_URL: {url!r} is no address; write https://host:port, or nothing for AWS"
        )
    return url
