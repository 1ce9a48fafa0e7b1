"""Encryption of stored secrets, rotation of its keys, and the key file of an embedded installation."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from catalog.core.errors import KeyConflict, Misconfigured, SecretsUnreadable
from catalog.records.database import Database, connect_database
from catalog.records.encryption import KEY_FILE, SecretCipher, new_key, open_cipher
from catalog.records.home import read_or_create
from catalog.secrets.service import Rotated, check_secrets, rotate_secrets
from catalog.tenants.tenant_repository import find_signer
from proxy.core.identifiers import TenantName
from proxy.core.url.signing import SigningKey
from proxy.settings import Settings
from tests.catalog.services import create_key, create_tenant, list_keys, list_sources, put_source, retire_key
from tests.program.server import SECRET, SECRET_KEY

ACME = TenantName("acme")
OTHER_KEY = new_key()


def with_keys(database: Database, *keys: str) -> Database:
    """Return the same database with other encryption keys."""
    return Database(database.engine, SecretCipher(keys))


async def stored(database: Database) -> list[str]:
    async with database.reading() as session:
        rows = await session.execute(text("SELECT secret FROM secret UNION ALL SELECT credentials FROM source"))
        return [str(row[0]) for row in rows]


@pytest.fixture
async def acme(database: Database) -> Database:
    """Return the database with a tenant, its key and a source."""
    await create_tenant(database, ACME, SECRET)
    await put_source(database, ACME, "https://img.example.com", {"authorization": "Bearer token"})
    return database


async def test_secrets_are_stored_encrypted(acme: Database) -> None:
    values = await stored(acme)
    assert len(values) == 2
    assert not any(SECRET in value or "token" in value for value in values)
    assert acme.cipher.decrypt(values[0]) == SECRET


async def test_a_new_key_in_front_encrypts_and_the_old_one_still_decrypts(acme: Database) -> None:
    both = with_keys(acme, OTHER_KEY, SECRET_KEY)
    added = await create_key(both, ACME)
    assert len((await find_signer(both, ACME)).keys) == 2
    with pytest.raises(SecretsUnreadable):
        await find_signer(acme, ACME)
    assert (await find_signer(both, ACME)).keys[0].seal("x") == SigningKey.derive(added.secret).seal("x")


async def test_a_used_secret_is_recognised_under_an_older_key(acme: Database) -> None:
    with pytest.raises(KeyConflict, match="used this secret before"):
        await create_key(with_keys(acme, OTHER_KEY, SECRET_KEY), ACME, SECRET)


async def test_after_a_rotation_the_old_key_is_not_needed(acme: Database) -> None:
    assert await rotate_secrets(with_keys(acme, OTHER_KEY, SECRET_KEY)) == Rotated(secrets=1, sources=1)
    rotated = with_keys(acme, OTHER_KEY)
    tenant = await find_signer(rotated, ACME)
    assert tenant.keys[0].seal("x") == SigningKey.derive(SECRET).seal("x")
    assert tenant.sources[0].credentials == (("authorization", "Bearer token"),)
    with pytest.raises(KeyConflict, match="used this secret before"):
        await create_key(rotated, ACME, SECRET)
    with pytest.raises(SecretsUnreadable):
        await find_signer(acme, ACME)


async def test_a_rotation_without_the_old_key_changes_nothing(acme: Database) -> None:
    before = await stored(acme)
    with pytest.raises(SecretsUnreadable):
        await rotate_secrets(with_keys(acme, OTHER_KEY))
    assert await stored(acme) == before


async def test_a_wrong_key_is_reported_with_what_to_do(acme: Database) -> None:
    wrong = with_keys(acme, OTHER_KEY)
    with pytest.raises(SecretsUnreadable, match="add that key to DARKROOM_SECRET_KEYS"):
        await check_secrets(wrong)
    with pytest.raises(SecretsUnreadable):
        await list_sources(wrong, ACME)
    await check_secrets(acme)


async def test_a_lost_key_is_recovered_from_by_new_secrets(acme: Database) -> None:
    """Unreadable secrets are listed as such, and can be retired once there is a new one."""
    wrong = with_keys(acme, OTHER_KEY)
    added = await create_key(wrong, ACME)
    keys = await list_keys(wrong, ACME)
    assert [(key.id == added.id, key.fingerprint is None) for key in keys] == [(True, False), (False, True)]
    await put_source(wrong, ACME, "https://img.example.com", {"authorization": "Bearer new"})
    await retire_key(wrong, ACME, keys[1].id)
    assert len((await find_signer(wrong, ACME)).keys) == 1


async def test_an_empty_database_fits_every_key(database: Database) -> None:
    await check_secrets(with_keys(database, OTHER_KEY))


def test_a_fingerprint_depends_on_key_tenant_and_secret() -> None:
    cipher, other = SecretCipher([SECRET_KEY]), SecretCipher([OTHER_KEY, SECRET_KEY])
    prints = {
        *cipher.fingerprints(ACME, "a"),
        *cipher.fingerprints(ACME, "b"),
        *cipher.fingerprints(TenantName("b"), "a"),
    }
    assert len(prints) == 3
    assert other.fingerprints(ACME, "a")[1:] == cipher.fingerprints(ACME, "a")


def test_the_longest_secret_fits_its_column() -> None:
    assert len(SecretCipher([SECRET_KEY]).encrypt("\N{GRINNING FACE}" * 256)) <= 2_048


def test_an_embedded_installation_creates_its_key_file(tmp_path: Path) -> None:
    token = open_cipher(Settings(home=tmp_path), embedded=True).encrypt("x")
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert open_cipher(Settings(home=tmp_path), embedded=True).decrypt(token) == "x"
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_a_key_file_may_hold_several_keys(tmp_path: Path) -> None:
    token = open_cipher(Settings(home=tmp_path), embedded=True).encrypt("x")
    file = tmp_path / KEY_FILE
    file.write_text(f"{OTHER_KEY}\n{file.read_text()}")
    cipher = open_cipher(Settings(home=tmp_path), embedded=True)
    assert cipher.decrypt(token) == "x"
    assert SecretCipher([OTHER_KEY]).decrypt(cipher.encrypt("y")) == "y"


def test_processes_that_create_the_key_file_at_once_use_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        texts = list(threads.map(lambda _: read_or_create(tmp_path / "file", new_key()), range(8)))
    assert len(set(texts)) == 1


def test_postgresql_requires_a_key() -> None:
    with pytest.raises(Misconfigured, match="darkroom secrets key"):
        open_cipher(Settings(), embedded=False)


@pytest.mark.parametrize("keys", ["short", f"{SECRET_KEY},x", ",", "ü" * 44, "A" * 44])
async def test_a_malformed_key_is_refused_without_showing_it(tmp_path: Path, keys: str) -> None:
    with pytest.raises(Misconfigured, match="32 bytes in base64") as error:
        async with connect_database(Settings(home=tmp_path, secret_keys=SecretStr(keys))):
            pass
    assert "DARKROOM_SECRET_KEYS" in str(error.value)
    assert keys not in str(error.value) or keys == ","
