"""Backends follow the settings; invalid settings are reported with what to write instead."""

from pathlib import Path

import pytest

from proxy.adapters.files import FileOriginals
from proxy.adapters.s3 import S3Originals
from proxy.backends import SettingError, open_backends, open_sources
from proxy.core.errors import NotFound, SourceNotAllowed
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import parse_reference
from proxy.delivery.staging import StagedFile
from proxy.settings import Settings
from tests.adapters.samples import ACME, LARGE_PICTURE, PICTURE, SMALL, content_of, key, named, opened
from tests.servers.fixtures import S3


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_nothing_set_is_memory_and_files_at_home(tmp_path: Path) -> None:
    async with open_backends(Settings(home=tmp_path)) as backends:
        assert isinstance(backends.originals, FileOriginals)
        assert list(await backends.derivatives.report()) == ["memory", "files"]
        await backends.derivatives.put(key("one"), PICTURE)
    assert (tmp_path / "derivatives" / key("one")).exists()


async def test_no_memory_budget_is_no_memory_tier(tmp_path: Path) -> None:
    async with open_backends(Settings(home=tmp_path, memory_cache_bytes=0)) as backends:
        assert list(await backends.derivatives.report()) == ["files"]


async def test_grown_settings_are_redis_and_a_bucket(
    s3: S3, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (s3.environment | {"DARKROOM_REDIS_URL": redis_url}).items():
        monkeypatch.setenv(name, value)
    async with open_backends(Settings(home=tmp_path)) as backends:
        assert isinstance(backends.originals, S3Originals)
        report = await backends.derivatives.report()
        assert report == {"memory": None, "redis": None, "s3": None}
        with opened(SMALL) as source:
            assert await backends.originals.put(ACME, named(SMALL), source)
        assert content_of(await backends.originals.open(ACME, named(SMALL))) == SMALL
    assert names_in(tmp_path) == []


async def test_servers_that_are_down_do_not_keep_backends_from_opening(tmp_path: Path) -> None:
    async with open_backends(Settings(home=tmp_path, redis_url="redis://127.0.0.1:1/0")) as backends:
        with pytest.raises(NotFound):
            await backends.originals.open(ACME, named(SMALL))
        assert await backends.derivatives.get(key("one")) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"store_url": "s3:/bucket"},
        {"store_url": "s3://"},
        {"store_url": "s3://Bucket"},
        {"store_url": "s3://bucket/../up"},
        {"store_url": "s3://bucket//twice"},
        {"store_url": "s3://bucket/pre fix"},
        {"store_url": "/var/lib/pictures"},
        {"store_url": "s3://bucket", "s3_access_key_id": "key"},
        {"store_url": "s3://bucket", "s3_endpoint_url": "127.0.0.1:9000"},
        {"redis_url": "127.0.0.1:6379"},
        {"redis_url": "http://127.0.0.1:6379"},
        {"redis_url": "redis://"},
        {"redis_url": "redis://host:port/0"},
        {"redis_url": "redis://host/0?socket_timeout=soon"},
    ],
    ids=str,
)
async def test_an_invalid_setting_is_named_with_what_to_write(settings: dict[str, str], tmp_path: Path) -> None:
    names = "|".join(f"DARKROOM_{name.upper()}" for name in settings)
    with pytest.raises(SettingError, match=f"({names}).*(write|set)"):
        async with open_backends(Settings.model_validate({"home": tmp_path} | settings)):
            pass


async def test_the_error_about_a_redis_url_does_not_quote_its_password(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as raised:
        async with open_backends(Settings(home=tmp_path, redis_url="reddis://:pass-word@host")):
            pass
    assert "pass-word" not in str(raised.value)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/a", "s3://my.bucket-1/a/b_c.d/"])
async def test_a_store_is_a_bucket_and_perhaps_a_prefix(url: str, tmp_path: Path) -> None:
    endpoint = "http://127.0.0.1:1"
    settings = {"home": tmp_path, "store_url": url, "s3_endpoint_url": endpoint}
    async with open_backends(Settings.model_validate(settings)) as backends:
        assert isinstance(backends.originals, S3Originals)


async def test_the_limits_of_derivatives_are_the_settings_(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, derivative_bytes=2**20, derivative_disk_bytes=4096 * 3, memory_cache_bytes=0)
    async with open_backends(settings) as backends:
        await backends.derivatives.put(key("large"), LARGE_PICTURE)
        assert await backends.derivatives.get(key("large")) is None
        for name in map(str, range(4)):
            await backends.derivatives.put(key(name), PICTURE)
    assert sum(path.is_file() for path in (tmp_path / "derivatives").rglob("*")) <= 3


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:1"])
async def test_machine_credentials_do_not_open_the_bucket_of_the_store_as_a_source(
    tmp_path: Path, endpoint: str
) -> None:
    settings = Settings(home=tmp_path, store_url="s3://photos/darkroom", s3_endpoint_url=endpoint, source_private=True)
    machine = Source("s3://photos", (("credentials", "machine"), *((("endpoint_url", endpoint),) if endpoint else ())))
    reference = parse_reference("s3://photos/darkroom/originals/acme/secret")
    async with open_sources(settings) as sources:
        with StagedFile(1000) as staged, pytest.raises(SourceNotAllowed, match="this installation"):
            await sources["s3"].fetch(reference, (machine,), Validators(), staged)
