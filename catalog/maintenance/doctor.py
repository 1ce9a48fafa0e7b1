"""The doctor: each part is asked whether it works, by using it, and each answer that is wrong says what to do.

The checks know nothing of each other and run at once, each with a deadline: a backend that hangs is a finding and no
wait.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from catalog.core.errors import NotMigrated
from catalog.maintenance.extras import find_extras, how_to_install
from catalog.records.database import connect_database, open_database
from catalog.records.migrations import HEAD
from proxy.backends import open_backends
from proxy.core.errors import DarkroomError
from proxy.core.media.formats import readable, writable
from proxy.core.planning.limits import HARD_CAPS
from proxy.settings import Settings
from proxy.workers import sandbox
from proxy.workers.pool import open_pool

DEADLINE_S = 15.0
REDIS_TIMEOUT_S = 2.0
SKEW_S = 5.0
FIRST_YEAR, LAST_YEAR = 2025, 2100
"""Between them a clock may be right; a machine without a battery wakes up in 1970."""

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: the advice is empty when nothing is to be done."""

    check: str
    state: State
    told: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """Run all checks; the findings in the order of the table."""
    return list(await asyncio.gather(*(_bounded(name, check, settings) for name, check in _CHECKS.items())))


async def _bounded(name: str, check: Callable[[Settings], Awaitable[Finding]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await check(settings)
    except TimeoutError:
        return Finding(name, "fail", f"No answer within {DEADLINE_S:.0f} s.", _ADVICE[name])
    except NotMigrated as refusal:
        return Finding(name, "fail", str(refusal), "Run darkroom migrate.")
    except DarkroomError as refusal:
        return Finding(name, "fail", f"{refusal} {refusal.__cause__ or ''}".strip(), _ADVICE[name])
    except Exception as error:  # noqa: BLE001 - whatever is broken is what the doctor was asked about
        return Finding(name, "fail", f"{type(error).__name__}: {error}", _ADVICE[name])


async def _settings(settings: Settings) -> Finding:
    known = {f"DARKROOM_{name}".upper() for name in Settings.model_fields}
    ours = {name for name in os.environ if name.startswith("DARKROOM_") and not name.startswith("DARKROOM_TEST_")}
    if strange := sorted(ours - known):
        return Finding("settings", "warn", f"No setting of ours: {', '.join(strange)}.", "Correct or unset them.")
    over = [one.name for one in fields(HARD_CAPS) if getattr(settings, one.name) > getattr(HARD_CAPS, one.name)]
    if over:
        told = "Beyond what a worker can hold, cut to the hard cap: " + ", ".join(over) + "."
        return Finding("settings", "warn", told, "Lower them, so that they say what is true.")
    return Finding("settings", "ok", f"Home {settings.home.absolute()}, URLs begin with {settings.base_url}")


async def _clock(settings: Settings) -> Finding:
    year = datetime.now(UTC).year
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return Finding("clock", "fail", f"It is the year {year} here.", _ADVICE["clock"])
    skews_s = {name: skew_s for name, ask in _CLOCKS.items() if (skew_s := await _known(ask(settings))) is not None}
    told = ", ".join(f"{name} is {skew_s:+.1f} s ahead" for name, skew_s in skews_s.items())
    if any(abs(skew_s) > SKEW_S for skew_s in skews_s.values()):
        return Finding("clock", "fail", told + ".", _ADVICE["clock"])
    return Finding("clock", "ok", told or f"The year {year}; no other clock to compare with")


async def _known(asked: Awaitable[float | None]) -> float | None:
    """Give the answer, or None where the other does not answer: the check of that backend says so."""
    try:
        return await asked
    except (DarkroomError, RedisError, OSError, ValueError):
        return None


async def _postgresql_ahead_s(settings: Settings) -> float | None:
    async with connect_database(settings) as database:
        if database.embedded:
            return None
        async with database.reading() as session:
            await session.connection()  # not to be measured
            return await _ahead_s(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")))


async def _redis_ahead_s(settings: Settings) -> float | None:
    if not settings.redis_url:
        return None
    async with _redis(settings) as redis:
        await redis.ping()  # connects, which is not to be measured

        async def read() -> float:
            seconds, microseconds = await redis.time()
            return float(seconds) + float(microseconds) / 1e6

        return await _ahead_s(read())


async def _ahead_s(theirs: Awaitable[Any]) -> float:
    """Tell how far ahead their clock is, taking theirs for the middle of the question and the answer."""
    before = time.time()
    moment = float(await theirs)
    return moment - (before + time.time()) / 2


async def _libvips(settings: Settings) -> Finding:
    """Start one real worker: it has checked libvips' version and warmed every codec up before it says hello."""
    async with open_pool(settings.model_copy(update={"workers": 1})) as pixels:
        reads = ", ".join(one.name for one in readable(settings.formats))
        writes = ", ".join(one.name for one in writable(settings.formats))
        return Finding("libvips", "ok", f"Renderer {pixels.renderer_version} reads {reads}; writes {writes}")


async def _extras(settings: Settings) -> Finding:
    """Tell what this installation could do beyond what it is set to."""
    extras = find_extras(settings)
    if extras.missing:
        told = f"Turned on and not installed: {', '.join(extras.missing)}."
        return Finding("extras", "fail", told, f"{how_to_install(extras.missing)}, or turn them off.")
    told = f"On: {', '.join(extras.on) or 'none'}"
    told += f"; DARKROOM_FORMATS and DARKROOM_FACES can turn on: {', '.join(extras.off)}" if extras.off else ""
    told += f"; with {how_to_install(extras.absent)} also these" if extras.absent else ""
    return Finding("extras", "ok", told)


async def _sandbox(settings: Settings) -> Finding:
    missing = sandbox.available().missing
    if not missing:
        return Finding("sandbox", "ok", "Workers are closed in by Landlock and seccomp")
    told = f"This kernel or container lacks {' and '.join(missing)}."
    return Finding("sandbox", "fail" if settings.sandbox == "require" else "warn", told, _ADVICE["sandbox"])


async def _store(settings: Settings) -> Finding:
    async with open_backends(settings) as backends:
        await backends.originals.ping()
    return Finding("store", "ok", f"{settings.store_url or settings.home} answers")


async def _cache(settings: Settings) -> Finding:
    if not settings.redis_url:
        return Finding("cache", "ok", f"{settings.memory_cache_bytes // 2**20} MiB of memory, no Redis")
    async with _redis(settings) as redis:
        await redis.ping()
    return Finding("cache", "ok", f"{settings.memory_cache_bytes // 2**20} MiB of memory, Redis answers")


async def _database(settings: Settings) -> Finding:
    async with open_database(settings) as database:
        return Finding("database", "ok", f"{database.engine.dialect.name} at revision {HEAD}")


def _redis(settings: Settings) -> Redis:
    return Redis.from_url(settings.redis_url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S)


_CLOCKS = {"PostgreSQL": _postgresql_ahead_s, "Redis": _redis_ahead_s}
_CHECKS = {
    "settings": _settings,
    "clock": _clock,
    "libvips": _libvips,
    "extras": _extras,
    "sandbox": _sandbox,
    "store": _store,
    "cache": _cache,
    "database": _database,
}
_ADVICE = {
    "settings": "See docs/settings.md.",
    "clock": "Set the clock and keep it by NTP: URLs expire by it.",
    "libvips": "Install darkroom afresh from wheels, so that its own libvips is loaded and not the system's.",
    "extras": "See docs/formats.md.",
    "sandbox": "Use Linux 5.13 or newer with Landlock on, and a container runtime whose seccomp profile allows both.",
    "store": "Check DARKROOM_STORE_URL, DARKROOM_S3_* and that the bucket or folder is writable; a bucket needs the "
    "permissions in docs/operations.md, s3:ListBucket among them.",
    "cache": "Check DARKROOM_REDIS_URL and that Redis runs; without it pictures are made more often.",
    "database": "Check DARKROOM_DATABASE_URL and that the database runs.",
}
