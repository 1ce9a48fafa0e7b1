"""The doctor's judgement of clocks."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from catalog.maintenance import doctor, extras
from proxy.settings import Settings
from tests.program.server import SECRET_KEY


async def test_clocks_of_the_servers_are_compared_with_ours(database_url: str, redis_url: str) -> None:
    finding = await doctor._clock(
        Settings(database_url=database_url, redis_url=redis_url, secret_keys=SecretStr(SECRET_KEY))
    )
    assert finding.state == "ok"
    assert "PostgreSQL" in finding.message
    assert "Redis" in finding.message


async def test_a_clock_that_is_wrong_is_found(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is turned back by a minute."""
    ours = time.time
    monkeypatch.setattr(time, "time", lambda: ours() - 60)
    finding = await doctor._clock(Settings(redis_url=redis_url))
    assert finding.state == "fail"
    assert "Redis is +60" in finding.message or "Redis is +59" in finding.message
    assert finding.advice


async def test_a_server_that_is_out_says_nothing_about_clocks() -> None:
    finding = await doctor._clock(
        Settings(redis_url="redis://127.0.0.1:1", database_url="postgresql+asyncpg://x@127.0.0.1:1/x")
    )
    assert finding.state == "ok"
    assert str(datetime.now(UTC).year) in finding.message


async def test_settings_beyond_the_hard_caps_are_found() -> None:
    finding = await doctor._settings(Settings(source_pixels=10**12))
    assert (finding.state, "source_pixels" in finding.message) == ("warn", True)


async def test_extras_that_are_enabled_available_and_missing_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    message = (await doctor._extras(Settings(formats="svg,heic"))).message
    assert message.startswith(
        "Enabled: svg, heic; DARKROOM_FORMATS and DARKROOM_FACES can enable: tiff, jxl, pdf, faces"
    )
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    message = (await doctor._extras(Settings())).message
    assert message.startswith(
        "Enabled: none; DARKROOM_FORMATS and DARKROOM_FACES can enable: svg, tiff; after pip install"
    )
    assert ".[heic,jxl,pdf,faces]" in message
    broken = await doctor._extras(Settings(formats="svg,heic", faces=True))
    assert (broken.state, broken.message) == ("fail", "Enabled but not installed: heic, faces.")
    assert ".[heic,faces]" in broken.advice


async def test_a_scanner_that_does_not_answer_is_found(tmp_path: Path) -> None:
    assert (await doctor._scanner(Settings())).state == "ok"
    findings = await doctor.examine(Settings(home=tmp_path, clamd=f"unix://{tmp_path}/nobody.sock"))
    [found] = [finding for finding in findings if finding.check == "scanner"]
    assert (found.state, "DARKROOM_CLAMD" in found.advice) == ("fail", True)
