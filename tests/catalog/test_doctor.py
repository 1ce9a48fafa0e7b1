"""The doctor's judgement of clocks."""

import time
from datetime import UTC, datetime

import pytest

from catalog.maintenance import doctor, extras
from proxy.settings import Settings


async def test_clocks_of_the_servers_are_compared_with_ours(database_url: str, redis_url: str) -> None:
    finding = await doctor._clock(Settings(database_url=database_url, redis_url=redis_url))
    assert finding.state == "ok"
    assert "PostgreSQL" in finding.told
    assert "Redis" in finding.told


async def test_a_clock_that_is_wrong_is_found(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is turned back by a minute."""
    ours = time.time
    monkeypatch.setattr(time, "time", lambda: ours() - 60)
    finding = await doctor._clock(Settings(redis_url=redis_url))
    assert finding.state == "fail"
    assert "Redis is +60" in finding.told or "Redis is +59" in finding.told
    assert finding.advice


async def test_a_server_that_is_out_says_nothing_about_clocks() -> None:
    finding = await doctor._clock(
        Settings(redis_url="redis://127.0.0.1:1", database_url="postgresql+asyncpg://x@127.0.0.1:1/x")
    )
    assert finding.state == "ok"
    assert str(datetime.now(UTC).year) in finding.told


async def test_settings_beyond_the_hard_caps_are_found() -> None:
    finding = await doctor._settings(Settings(source_pixels=10**12))
    assert (finding.state, "source_pixels" in finding.told) == ("warn", True)


async def test_extras_that_are_on_off_and_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (await doctor._extras(Settings(formats="svg,heic"))).told
    assert told.startswith("On: svg, heic; DARKROOM_FORMATS and DARKROOM_FACES can turn on: tiff, jxl, pdf, faces")
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    told = (await doctor._extras(Settings())).told
    assert told.startswith("On: none; DARKROOM_FORMATS and DARKROOM_FACES can turn on: svg, tiff; with pip install")
    assert ".[heic,jxl,pdf,faces]" in told
    broken = await doctor._extras(Settings(formats="svg,heic", faces=True))
    assert (broken.state, broken.told) == ("fail", "Turned on and not installed: heic, faces.")
    assert ".[heic,faces]" in broken.advice
