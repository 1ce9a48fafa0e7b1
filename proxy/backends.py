"""Backends: from the settings to the adapters through which pictures are read and written."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from proxy.adapters.files import FileDerivatives, FileOriginals, FileResolvedReferences, FileUploadParts
from proxy.adapters.http import HttpSources, open_http
from proxy.adapters.memory import MemoryDerivatives
from proxy.adapters.redis import RedisDerivatives
from proxy.adapters.s3 import S3Derivatives, S3Originals, S3ResolvedReferences, S3Sources, S3UploadParts, open_s3
from proxy.caching.tiers import TieredCache
from proxy.core.url.public_addresses import is_public
from proxy.ports import Derivatives, DerivativeStore, Originals, ResolvedReferences, Sources, UploadParts
from proxy.settings import Settings

_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)/?")


class SettingError(ValueError):
    """A setting that is invalid; the sentence names it and states what to write instead."""


@dataclass(frozen=True, slots=True)
class Backends:
    """Where pictures are stored."""

    originals: Originals
    quarantine: Originals
    """Where files wait for the scanner, out of delivery's reach."""
    derivatives: TieredCache
    derivative_store: DerivativeStore
    """The durable one of the tiers."""
    resolved_references: ResolvedReferences
    upload_parts: UploadParts


@asynccontextmanager
async def open_backends(settings: Settings, on_skip: Callable[[str], None] | None = None) -> AsyncIterator[Backends]:
    """Open what the settings name, and close it at the end. Raise SettingError if they are invalid.

    Servers need not be up: each call reports its own failure. `on_skip` is called with the name of a tier each time the
    tier is skipped.
    """
    async with AsyncExitStack() as stack:
        originals, quarantine, store, resolved_references, parts = await _open_store(settings, stack)
        derivatives = TieredCache([*_memory(settings), *_redis(settings, stack), store], on_skip=on_skip)
        stack.push_async_callback(derivatives.close)
        yield Backends(originals, quarantine, derivatives, store, resolved_references, parts)


@asynccontextmanager
async def open_sources(settings: Settings) -> AsyncIterator[Mapping[str, Sources]]:
    """Open the sources of each URL scheme, and close them at the end."""
    allowed = _anywhere if settings.source_private else is_public
    store_bucket = _bucket(settings.store_url)[0] if settings.store_url else ""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_http(allowed))
        http, s3 = HttpSources(session), S3Sources(allowed=allowed, store_bucket=store_bucket)
        stack.push_async_callback(s3.close)
        yield {"https": http, "http": http, "s3": s3}


_Store = tuple[Originals, Originals, DerivativeStore, ResolvedReferences, UploadParts]
_QUARANTINE = "quarantine"
"""The folder, or the prefix in the bucket, below which the quarantine is laid out like a store of originals."""


async def _open_store(settings: Settings, stack: AsyncExitStack) -> _Store:
    if settings.store_url:
        return await _open_bucket(settings, stack)
    files = (
        FileOriginals(settings.home, settings.source_bytes),
        FileOriginals(settings.home / _QUARANTINE, settings.source_bytes),
        FileDerivatives(settings.home, settings.derivative_bytes, settings.derivative_disk_bytes),
        FileResolvedReferences(settings.home),
        FileUploadParts(settings.home),
    )
    for adapter in files:
        stack.callback(adapter.close)
        await adapter.sweep()
    return files


async def _open_bucket(settings: Settings, stack: AsyncExitStack) -> _Store:
    bucket, prefix = _bucket(settings.store_url)
    secret = settings.s3_secret_access_key.get_secret_value()
    if bool(settings.s3_access_key_id) != bool(secret):
        raise SettingError("DARKROOM_S3_ACCESS_KEY_ID and DARKROOM_S3_SECRET_ACCESS_KEY: set both or neither")
    s3 = open_s3(settings.s3_region, _endpoint(settings.s3_endpoint_url), settings.s3_access_key_id, secret)
    client = await stack.enter_async_context(s3)
    originals = S3Originals(client, bucket, prefix, settings.source_bytes)
    quarantine = S3Originals(client, bucket, "/".join(filter(None, (prefix, _QUARANTINE))), settings.source_bytes)
    derivatives = S3Derivatives(client, bucket, prefix, settings.derivative_bytes)
    references, parts = S3ResolvedReferences(client, bucket, prefix), S3UploadParts(client, bucket, prefix)
    return originals, quarantine, derivatives, references, parts


def _anywhere(_address: str) -> bool:
    return True


def _memory(settings: Settings) -> list[Derivatives]:
    return [MemoryDerivatives(settings.memory_cache_bytes)] if settings.memory_cache_bytes else []


def _redis(settings: Settings, stack: AsyncExitStack) -> list[Derivatives]:
    if not settings.redis_url:
        return []
    # the sentence does not quote the URL: it may hold a password
    invalid = SettingError(
        "DARKROOM_REDIS_URL: not a Redis URL; write redis://host:6379/0, rediss://… or unix:///path, or leave it empty"
    )
    try:
        parts = urlsplit(settings.redis_url)
        address = parts.path if parts.scheme == "unix" else parts.hostname
        if parts.scheme not in {"redis", "rediss", "unix"} or not address:
            raise invalid
        redis = RedisDerivatives(settings.redis_url, settings.redis_body_bytes, settings.redis_ttl_s)
    except ValueError:
        raise invalid from None
    stack.push_async_callback(redis.close)
    return [redis]


def _bucket(url: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://bucket/prefix`; the prefix may be empty."""
    match = _BUCKET.fullmatch(url)
    if not match:
        raise SettingError(
            f"DARKROOM_STORE_URL: {url!r} is not the URL of a store; write s3://bucket/prefix (letters, digits, . _ - "
            "in the prefix), or leave it empty for the home folder"
        )
    return match[1], match[2].removeprefix("/")


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise SettingError(
            f"DARKROOM_S3_ENDPOINT_URL: {url!r} is not a URL; write https://host:port, or leave it empty for AWS"
        )
    return url
