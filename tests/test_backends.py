"""Backends follow the settings, and say what is wrong with them."""

from pathlib import Path

import pytest

from proxy.adapters.files import FileOriginals
from proxy.adapters.s3 import S3Originals
from proxy.backends import SettingError, open_backends
from proxy.core.errors import NotFound
from proxy.settings import Settings
from tests.adapters.samples import ACME, PICTURE, SMALL, content_of, key, named, opened
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
async def test_a_setting_that_cannot_be_meant_is_named_with_what_to_write(
    settings: dict[str, str], tmp_path: Path
) -> None:
    names = "|".join(f"DARKROOM_{name.upper()}" for name in settings)
    with pytest.raises(SettingError, match=f"({names}).*(write|set)"):
        async with open_backends(Settings.model_validate({"home": tmp_path} | settings)):
            pass


async def test_the_complaint_about_a_redis_url_keeps_its_password(tmp_path: Path) -> None:
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
