"""The doctor: checks that use each part of an installation, with advice for each failure.

The checks are independent and run concurrently, each with a deadline, so that a backend that hangs fails its check and
delays no other.
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

from catalog.adapters.clamd import ClamdScanner
from catalog.core.errors import Misconfigured, NotMigrated
from catalog.maintenance.extras import find_extras, how_to_install
from catalog.maintenance.isolation import read_isolation
from catalog.records.database import connect_database
from catalog.records.schema import find_version, open_database
from catalog.secrets.service import check_secrets
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
"""Years a correct clock may show; a machine without a battery starts in 1970."""

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check."""

    check: str
    state: State
    message: str
    advice: str = ""
    """Empty if there is nothing to do."""


async def examine(settings: Settings) -> list[Finding]:
    """Run all checks and return the findings in the order of `_CHECKS`."""
    return list(await asyncio.gather(*(_bounded(name, check, settings) for name, check in _CHECKS.items())))


async def _bounded(name: str, check: Callable[[Settings], Awaitable[Finding]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await check(settings)
    except TimeoutError:
        return Finding(name, "fail", f"No answer within {DEADLINE_S:.0f} s.", _ADVICE[name])
    except NotMigrated as error:
        return Finding(name, "fail", str(error), "Run darkroom migrate.")
    except Misconfigured as error:
        return Finding(name, "fail", str(error), "Correct the setting; see docs/settings.md.")
    except DarkroomError as error:
        return Finding(name, "fail", f"{error} {error.__cause__ or ''}".strip(), _ADVICE[name])
    except Exception as error:  # noqa: BLE001 - any error is a finding
        return Finding(name, "fail", f"{type(error).__name__}: {error}", _ADVICE[name])


async def _settings(settings: Settings) -> Finding:
    known = {f"DARKROOM_{name}".upper() for name in Settings.model_fields}
    given = {name for name in os.environ if name.startswith("DARKROOM_") and not name.startswith("DARKROOM_TEST_")}
    if unknown := sorted(given - known):
        return Finding("settings", "warn", f"Unknown settings: {', '.join(unknown)}.", "Correct or unset them.")
    limits = [field.name for field in fields(HARD_CAPS)]
    above = [name for name in limits if getattr(settings, name) > getattr(HARD_CAPS, name)]
    if above:
        message = f"Above the hard cap, which applies instead: {', '.join(above)}."
        return Finding("settings", "warn", message, "Lower them.")
    return Finding("settings", "ok", f"Home {settings.home.absolute()}, URLs begin with {settings.base_url}")


async def _clock(settings: Settings) -> Finding:
    year = datetime.now(UTC).year
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return Finding("clock", "fail", f"The clock shows the year {year}.", _ADVICE["clock"])
    measured = {name: await _or_none(measure(settings)) for name, measure in _CLOCKS.items()}
    skews_s = {name: skew_s for name, skew_s in measured.items() if skew_s is not None}
    message = ", ".join(f"{name} is {skew_s:+.1f} s ahead" for name, skew_s in skews_s.items())
    if any(abs(skew_s) > SKEW_S for skew_s in skews_s.values()):
        return Finding("clock", "fail", message + ".", _ADVICE["clock"])
    return Finding("clock", "ok", message or f"The year is {year}; there is no other clock to compare with")


async def _or_none(measurement: Awaitable[float | None]) -> float | None:
    """Return the measurement, or None if the backend does not answer, which is reported by its own check."""
    try:
        return await measurement
    except (DarkroomError, RedisError, OSError, ValueError):
        return None


async def _postgresql_ahead_s(settings: Settings) -> float | None:
    async with connect_database(settings) as database:
        if database.embedded:
            return None
        async with database.reading() as session:
            await session.connection()  # connects, which is not measured
            return await _ahead_s(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")))


async def _redis_ahead_s(settings: Settings) -> float | None:
    if not settings.redis_url:
        return None
    async with _redis(settings) as redis:
        await redis.ping()  # connects, which is not measured

        async def read() -> float:
            seconds, microseconds = await redis.time()
            return float(seconds) + float(microseconds) / 1e6

        return await _ahead_s(read())


async def _ahead_s(remote_time: Awaitable[Any]) -> float:
    """Return how far a remote clock is ahead, in seconds; its answer counts as read halfway through the call."""
    before = time.time()
    remote = float(await remote_time)
    return remote - (before + time.time()) / 2


async def _libvips(settings: Settings) -> Finding:
    """Start one worker, which checks the version of libvips and initialises every codec before it answers."""
    async with open_pool(settings.model_copy(update={"workers": 1}), spare=False) as pixels:
        reads = ", ".join(kind.name for kind in readable(settings.formats))
        writes = ", ".join(kind.name for kind in writable(settings.formats))
        return Finding("libvips", "ok", f"Renderer {pixels.renderer_version} reads {reads}; writes {writes}")


async def _extras(settings: Settings) -> Finding:
    """Report which extras are enabled, and which could be."""
    extras = find_extras(settings)
    if extras.missing:
        message = f"Enabled but not installed: {', '.join(extras.missing)}."
        return Finding("extras", "fail", message, f"{how_to_install(extras.missing)}, or disable them.")
    message = f"Enabled: {', '.join(extras.on) or 'none'}"
    if extras.off:
        message += f"; DARKROOM_FORMATS and DARKROOM_FACES can enable: {', '.join(extras.off)}"
    if extras.absent:
        message += f"; after {how_to_install(extras.absent)} also {', '.join(extras.absent)}"
    return Finding("extras", "ok", message)


async def _sandbox(settings: Settings) -> Finding:
    missing = sandbox.available().missing
    if not missing:
        return Finding("sandbox", "ok", "Landlock and seccomp confine the workers")
    message = f"This kernel or container lacks {' and '.join(missing)}."
    return Finding("sandbox", "fail" if settings.sandbox == "require" else "warn", message, _ADVICE["sandbox"])


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
        await check_secrets(database)
        version = await find_version(database)
        return Finding("database", "ok", f"{database.engine.dialect.name} at revision {version.revision}")


async def _isolation(settings: Settings) -> Finding:
    """Report whether the database would refuse a query that forgets its tenant."""
    async with open_database(settings) as database:
        if database.embedded:
            return Finding("isolation", "ok", "Every query names its tenant; SQLite has no second lock")
        found = await read_isolation(database)
    if found.is_whole:
        return Finding("isolation", "ok", f"Row-level security restricts the role {found.role}; audit is append-only")
    faults = {
        "is a superuser": found.superuser,
        "has BYPASSRLS": found.bypasses,
        f"owns {_some(found.owned)}": bool(found.owned) and not found.superuser,
        f"may change {_some(found.changeable)}": bool(found.changeable) and not found.superuser,
    }
    privileges = ", ".join(fault for fault, applies in faults.items() if applies)
    parts = [f"The role {found.role} {privileges}." if privileges else ""]
    parts.append(f"No policy on {_some(found.open_tables)}." if found.open_tables else "")
    # one role for everything works as it always did; a role that is meant to be restricted and is not, is a fault
    state: State = "warn" if found.owned or found.superuser else "fail"
    return Finding("isolation", state, " ".join(filter(None, parts)), _ADVICE["isolation"])


async def _scanner(settings: Settings) -> Finding:
    if not settings.clamd:
        return Finding("scanner", "ok", "None; DARKROOM_CLAMD names one")
    await ClamdScanner(settings.clamd).ping()
    return Finding("scanner", "ok", "clamd answers")


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more tables" if len(names) > 3 else shown  # noqa: PLR2004


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
    "isolation": _isolation,
    "scanner": _scanner,
}
_ADVICE = {
    "settings": "See docs/settings.md.",
    "clock": "Set the clock and synchronise it by NTP: URLs expire by it.",
    "libvips": "Reinstall darkroom from wheels, so that its own libvips is loaded instead of the system's.",
    "extras": "See docs/formats.md.",
    "sandbox": "Use Linux 5.13 or newer with Landlock, and a container runtime whose seccomp profile allows both.",
    "store": "Check DARKROOM_STORE_URL and DARKROOM_S3_*, and that bucket or folder is writable; a bucket needs the "
    "permissions in docs/operations.md, including s3:ListBucket.",
    "cache": "Check DARKROOM_REDIS_URL and that Redis runs; without it derivatives are rendered more often.",
    "database": "Check DARKROOM_DATABASE_URL and that the database runs.",
    "scanner": "Check DARKROOM_CLAMD and that clamd runs; until then uploads of tenants that scan wait as processing.",
    "isolation": "Run servers as a role of their own: set DARKROOM_MIGRATION_DATABASE_URL to the owner's URL and "
    "DARKROOM_DATABASE_URL to the new role's, and run darkroom migrate; see docs/operations.md.",
}
