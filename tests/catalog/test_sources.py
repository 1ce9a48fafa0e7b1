"""Sources of a tenant, on both databases, and their commands."""

import json

import pytest

from catalog.core.errors import RulesConflict, SourceConflict, SourceNotFound, TenantNotFound
from catalog.records.database import Database
from catalog.sources import service as sources
from catalog.tenants.tenant_repository import SqlTenantRepository
from proxy.core.errors import MalformedRequest
from proxy.core.identifiers import TenantName
from proxy.core.url.source import Source
from tests.catalog.services import change_rules, create_tenant, delete_source, list_sources, put_source
from tests.catalog.test_command import Shell, acme, darkroom

__all__ = ["acme", "darkroom"]

ACME = TenantName("acme")
HTTPS = "https://img.example.com/photos"
KEYS = {"access_key_id": "AK", "secret_access_key": "SK"}


@pytest.fixture
async def tenant(database: Database) -> Database:
    """Return the database with a tenant."""
    await create_tenant(database, ACME)
    return database


async def test_a_source_is_known_to_delivery_with_what_opens_it(tenant: Database) -> None:
    await put_source(tenant, ACME, HTTPS + "/", {"authorization": "Bearer x"})
    await put_source(tenant, ACME, "s3://photos", {"access_key_id": "AK", "secret_access_key": "SK"})
    known = await SqlTenantRepository(tenant).find(ACME)
    assert known is not None
    assert known.sources == (
        Source(HTTPS, (("authorization", "Bearer x"),)),
        Source("s3://photos", (("access_key_id", "AK"), ("secret_access_key", "SK"))),
    )
    assert "Bearer" not in repr(known)


async def test_what_opens_a_source_is_listed_by_name_alone_and_replaced_as_a_whole(tenant: Database) -> None:
    await put_source(tenant, ACME, HTTPS, {"authorization": "Bearer x"})
    assert [source.credentials for source in await list_sources(tenant, ACME)] == [("authorization",)]
    await put_source(tenant, ACME, HTTPS)
    assert [(source.prefix, source.credentials) for source in await list_sources(tenant, ACME)] == [(HTTPS, ())]
    await delete_source(tenant, ACME, HTTPS)
    assert await list_sources(tenant, ACME) == []
    with pytest.raises(SourceNotFound, match="has no source"):
        await delete_source(tenant, ACME, HTTPS)


@pytest.mark.parametrize(
    ("prefix", "credentials", "refusal"),
    [
        ("ftp://host/x", {}, MalformedRequest),
        ("https://user@host/", {}, MalformedRequest),
        ("https://HOST/", {}, MalformedRequest),
        ("s3://photos", {"authorization": "x"}, SourceConflict),
        ("s3://photos", {"access_key_id": "AK"}, SourceConflict),
        (HTTPS, {"bad name": "x"}, SourceConflict),
        (HTTPS, {"n" * 129: "x"}, SourceConflict),
        (HTTPS, {"authorization": "a\r\nb: c"}, SourceConflict),
        (HTTPS, {"authorization": ""}, SourceConflict),
        (HTTPS, {f"x-{at}": "1" for at in range(11)}, SourceConflict),
    ],
)
async def test_what_cannot_be_a_source_is_refused(
    tenant: Database, prefix: str, credentials: dict[str, str], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await put_source(tenant, ACME, prefix, credentials)
    assert await list_sources(tenant, ACME) == []


@pytest.mark.parametrize("credentials", [{}, {"region": "eu-west-1"}, {"credentials": "any"}])
async def test_a_source_in_s3_states_where_its_credentials_come_from(
    tenant: Database, credentials: dict[str, str]
) -> None:
    """Otherwise the SDK would use the machine's, which open all tenants' originals."""
    with pytest.raises(SourceConflict, match=r"credentials=none.*credentials=machine"):
        await put_source(tenant, ACME, "s3://photos", credentials)
    for mode in ("machine", "none"):
        await put_source(tenant, ACME, "s3://photos", {**credentials, "credentials": mode})
    with pytest.raises(SourceConflict):
        await put_source(tenant, ACME, "s3://photos", {**KEYS, "credentials": "machine"})


@pytest.mark.parametrize("mode", ["machine", "none"])
@pytest.mark.parametrize("prefix", ["s3://store", "s3://store/originals", "s3://store/originals/other"])
async def test_the_store_s_own_bucket_is_no_source_without_keys(tenant: Database, mode: str, prefix: str) -> None:
    with pytest.raises(SourceConflict, match="originals of all tenants"):
        await put_source(tenant, ACME, prefix, {"credentials": mode}, store_bucket="store")
    await put_source(tenant, ACME, prefix, KEYS, store_bucket="store")
    await put_source(tenant, ACME, prefix.replace("store", "stored"), {"credentials": mode}, store_bucket="store")


def test_the_command_knows_the_store_s_bucket(acme: Shell) -> None:
    words = ("source", "add", "acme", "s3://store/a", "--credential", "credentials=machine")
    refused = acme(*words, code=1, DARKROOM_STORE_URL="s3://store/prefix")
    assert "originals of all tenants" in refused.stderr
    acme(*words)


async def test_sources_are_bounded_and_a_tenant_s_own(tenant: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_SOURCES", 1)
    await put_source(tenant, ACME, HTTPS)
    await put_source(tenant, ACME, HTTPS)
    with pytest.raises(SourceConflict, match="delete one"):
        await put_source(tenant, ACME, "https://other.example.com")
    with pytest.raises(TenantNotFound):
        await put_source(tenant, TenantName("nobody"), HTTPS)


async def test_how_long_a_reference_is_trusted_is_the_tenant_s(tenant: Database) -> None:
    await change_rules(tenant, ACME, reference_ttl_s=60)
    known = await SqlTenantRepository(tenant).find(ACME)
    assert known is not None
    assert known.reference_ttl_s == 60
    with pytest.raises(RulesConflict):
        await change_rules(tenant, ACME, reference_ttl_s=0)


def test_the_command_reads_credentials_from_the_environment_and_never_shows_them(acme: Shell) -> None:
    added = acme("source", "add", "acme", HTTPS, "--credential", "authorization=env:TOKEN", TOKEN="Bearer secret")
    listed = acme("source", "list", "acme")
    assert "secret" not in added.stdout + listed.stdout
    assert acme.objects("source", "list", "acme") == [{"source": HTTPS, "credentials": ["authorization"]}]
    assert "no variable NOTHING" in acme("source", "add", "acme", HTTPS, "--credential", "a=env:NOTHING", code=2).stderr
    acme("source", "delete", "acme", HTTPS)
    acme("source", "delete", "acme", HTTPS, code=1)


def test_sign_refers_to_a_source(acme: Shell) -> None:
    words = ("sign", "/t/acme/~/w320-webp", "--source", f"{HTTPS}/cat.jpg")
    url = str(acme.objects(*words)[0]["url"])
    assert "/t/acme/~aHR0cHM6Ly9pbWcuZXhhbXBsZS5jb20vcGhvdG9zL2NhdC5qcGc/w320-webp?s=" in url
    acme("sign", "/t/acme/w320-webp", "--source", f"{HTTPS}/cat.jpg", code=2)
    assert "host" in acme("sign", "/t/acme/~/w320-webp", "--source", "https://HOST/x", code=1).stderr


def test_tenant_set_changes_what_show_tells(acme: Shell) -> None:
    words = ("--linear", "--no-hints", "--reference-ttl", "2h", "--limit", "output_side=2048")
    acme("tenant", "set", "acme", *words)
    shown = json.loads(acme("tenant", "show", "acme", "--json").stdout)
    assert (shown["linear"], shown["crisp"], shown["hints"]) == (True, False, False)
    assert (shown["reference_ttl_s"], shown["limits"]) == (7_200, {"output_side": 2_048})
    acme("tenant", "set", "acme", "--limit", "nothing=1", code=1)
    acme("tenant", "set", "acme", "--limit", "output_side", code=2)
    acme("tenant", "set", "acme", "--reference-ttl", "soon", code=2)


def test_presets_by_command(acme: Shell) -> None:
    acme("preset", "put", "acme", "card", "w500-h300-auto", "--unsigned")
    card = next(preset for preset in acme.objects("preset", "list", "acme") if preset["preset"] == "card")
    assert (card["recipe"], card["version"], card["unsigned"]) == ("w500-h300-auto", 2, True)
    assert (card["widths"], card["dprs"]) == ([], [])
    sizes = ("--widths", "640,320", "--dprs", "2, 1.5")
    acme("preset", "put", "acme", "card", "w500-h300-auto", "--unsigned", *sizes)
    card = next(preset for preset in acme.objects("preset", "list", "acme") if preset["preset"] == "card")
    assert (card["widths"], card["dprs"]) == ([320, 640], ["1.5", "2"])
    assert "unsigned w320 w640 dpr1.5 dpr2" in acme("preset", "list", "acme").stdout
    assert "add --unsigned" in acme("preset", "put", "acme", "card", "w500-auto", *sizes, code=1).stderr
    refused = acme("preset", "put", "acme", "card", "h300-w500", code=1)
    assert "right: w500-h300" in refused.stderr
    acme("preset", "delete", "acme", "card")
    assert acme.objects("preset", "history", "acme", "card")[0]["recipe"] is None
    acme("preset", "history", "acme", "nothing", code=1)
