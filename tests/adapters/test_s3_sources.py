"""Sources in S3: each with its own credentials, fetched again only if they have changed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from proxy.adapters.s3.sources import S3Sources
from proxy.core.errors import LimitExceeded, SourceFailed, SourceNotAllowed, SourceNotFound
from proxy.core.url.resolved_reference import Validators
from proxy.core.url.source import Source
from proxy.core.url.source_reference import parse_reference
from proxy.delivery.staging import StagedFile
from tests.adapters.samples import LARGE, LIMIT_BYTES, SMALL, content_of
from tests.servers.cutter import Cutter
from tests.servers.fixtures import S3

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

NEVER = Validators()
STORE = "the-store-s-own-bucket"


def anywhere(_address: str) -> bool:
    return True


@pytest.fixture
async def sources() -> AsyncIterator[S3Sources]:
    sources = S3Sources(max_clients=2, allowed=anywhere, store_bucket=STORE)
    yield sources
    await sources.close()


def source(s3: S3, folder: str = "", **instead: str) -> Source:
    """Return a bucket, or a folder of it, as a source, with the credentials that open it."""
    credentials = {
        "access_key_id": s3.access_key_id,
        "secret_access_key": s3.secret_access_key,
        "endpoint_url": s3.endpoint_url,
    } | instead
    return Source(f"s3://{s3.bucket}{folder}", tuple(credentials.items()))


async def fetch(
    sources: S3Sources, allowed: Source, address: str, known: Validators = NEVER, limit_bytes: int = LIMIT_BYTES
) -> tuple[Validators | None, bytes]:
    with StagedFile(limit_bytes) as intake:
        validators = await sources.fetch(parse_reference(address), (allowed,), known, intake)
        return validators, content_of(intake.open())


@pytest.mark.parametrize("name", ["a.jpg", "2026/ein Bild, größer?+#%41&.jpg", "a//b", "%2F"])
async def test_an_object_is_fetched_by_its_key_as_it_is(
    sources: S3Sources, s3: S3, s3_client: "S3Client", name: str
) -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key=name, Body=LARGE)
    validators, body = await fetch(sources, source(s3), f"s3://{s3.bucket}/{name}")
    assert body == LARGE
    assert validators is not None
    assert validators.etag


async def test_what_has_not_changed_is_not_fetched_again(sources: S3Sources, s3: S3, s3_client: "S3Client") -> None:
    address = f"s3://{s3.bucket}/a"
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=SMALL)
    validators, _ = await fetch(sources, source(s3), address)
    assert validators is not None
    assert await fetch(sources, source(s3), address, known=validators) == (None, b"")
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=LARGE)
    changed, body = await fetch(sources, source(s3), address, known=validators)
    assert body == LARGE
    assert changed not in {None, validators}


async def test_what_is_not_there_is_missing(sources: S3Sources, s3: S3) -> None:
    with pytest.raises(SourceNotFound):
        await fetch(sources, source(s3), f"s3://{s3.bucket}/a")


async def test_an_object_over_the_limit_is_refused(sources: S3Sources, s3: S3, s3_client: "S3Client") -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=LARGE)
    with pytest.raises(LimitExceeded, match=str(len(LARGE))):
        await fetch(sources, source(s3), f"s3://{s3.bucket}/a", limit_bytes=2**20)


async def test_what_lies_beside_the_prefix_is_not_asked_for(sources: S3Sources, s3: S3, s3_client: "S3Client") -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="secret", Body=SMALL)
    with pytest.raises(SourceNotAllowed):
        await fetch(sources, source(s3, "/photos"), f"s3://{s3.bucket}/secret")


async def test_a_wrong_secret_opens_nothing(sources: S3Sources, s3: S3, s3_client: "S3Client") -> None:
    """Neither alone nor after a right one: each source has its own client."""
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=SMALL)
    wrong = source(s3, secret_access_key="wrong")
    for allowed in (wrong, source(s3), wrong):
        if allowed is wrong:
            with pytest.raises(SourceFailed, match="403"):
                await fetch(sources, allowed, f"s3://{s3.bucket}/a")
        else:
            assert (await fetch(sources, allowed, f"s3://{s3.bucket}/a"))[1] == SMALL


async def test_idle_clients_are_bounded_and_none_is_closed_in_use(
    sources: S3Sources, s3: S3, s3_client: "S3Client"
) -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=LARGE)
    address = f"s3://{s3.bucket}/a"
    many = [source(s3, region=f"us-east-{number}") for number in range(5)]
    answers = await asyncio.gather(*(fetch(sources, allowed, address) for allowed in many * 3))
    assert all(body == LARGE for _, body in answers)
    for allowed in many:
        await fetch(sources, allowed, address)
    assert len(sources._clients) == 2


async def test_a_connection_that_is_cut_is_a_failed_source(
    sources: S3Sources, s3: S3, s3_client: "S3Client", s3_cutter: Cutter
) -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=LARGE)
    allowed = source(s3, endpoint_url=f"http://{s3_cutter.host}:{s3_cutter.port}")
    s3_cutter.cut_after(2**20)
    with pytest.raises(SourceFailed):
        await fetch(sources, allowed, f"s3://{s3.bucket}/a")
    await s3_cutter.refuse()
    with pytest.raises(SourceFailed):
        await fetch(sources, allowed, f"s3://{s3.bucket}/a")
    await s3_cutter.restore()
    assert (await fetch(sources, allowed, f"s3://{s3.bucket}/a"))[1] == LARGE


# whose credentials open it


def bare(s3: S3, **credentials: str) -> Source:
    """Return a bucket as a source with exactly these credentials."""
    return Source(f"s3://{s3.bucket}", tuple(credentials.items()))


@pytest.fixture
def machine_credentials(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have credentials, where the AWS SDK searches for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)


@pytest.mark.usefixtures("machine_credentials")
async def test_without_credentials_those_of_the_machine_are_not_used(
    sources: S3Sources, s3: S3, s3_client: "S3Client"
) -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=SMALL)
    address = f"s3://{s3.bucket}/a"
    with pytest.raises(SourceNotAllowed, match="credentials=machine"):
        await fetch(sources, bare(s3, endpoint_url=s3.endpoint_url), address)
    chosen = bare(s3, endpoint_url=s3.endpoint_url, credentials="machine")
    assert (await fetch(sources, chosen, address))[1] == SMALL


@pytest.mark.usefixtures("machine_credentials")
async def test_machine_credentials_never_open_the_store_s_own_bucket(s3: S3, s3_client: "S3Client") -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="darkroom/originals/other/secret", Body=SMALL)
    sources = S3Sources(allowed=anywhere, store_bucket=s3.bucket)
    chosen = bare(s3, endpoint_url=s3.endpoint_url, credentials="machine")
    with pytest.raises(SourceNotAllowed, match="this installation"):
        await fetch(sources, chosen, f"s3://{s3.bucket}/darkroom/originals/other/secret")
    await sources.close()


@pytest.mark.usefixtures("machine_credentials")
async def test_a_public_bucket_is_opened_by_unsigned_requests(
    sources: S3Sources, s3: S3, s3_client: "S3Client"
) -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="private", Body=SMALL)
    await s3_client.put_object(Bucket=s3.bucket, Key="public", Body=SMALL, ACL="public-read")
    unsigned = bare(s3, endpoint_url=s3.endpoint_url, credentials="none")
    assert (await fetch(sources, unsigned, f"s3://{s3.bucket}/public"))[1] == SMALL
    with pytest.raises(SourceFailed, match="403"):
        await fetch(sources, unsigned, f"s3://{s3.bucket}/private")


@pytest.mark.parametrize(
    "endpoint_url",
    ["http://127.0.0.1:{port}", "http://[::1]:{port}", "http://localhost:{port}", "http://169.254.169.254"],
)
async def test_an_endpoint_without_a_public_address_is_not_connected_to(
    s3: S3, s3_cutter: Cutter, endpoint_url: str
) -> None:
    sources = S3Sources()
    allowed = source(s3, endpoint_url=endpoint_url.format(port=s3_cutter.port))
    with pytest.raises(SourceNotAllowed, match="endpoint"):
        await fetch(sources, allowed, f"s3://{s3.bucket}/a")
    assert s3_cutter.connections == 0
    await sources.close()


async def test_a_slow_search_for_credentials_holds_up_no_other_source(
    sources: S3Sources, s3: S3, s3_client: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    await s3_client.put_object(Bucket=s3.bucket, Key="a", Body=SMALL)
    searching, open_client = asyncio.Event(), sources._open

    async def search_forever(closing: AsyncExitStack, credentials: Mapping[str, str]) -> "S3Client":
        if credentials.get("credentials") == "machine":
            searching.set()
            await asyncio.Event().wait()
        return await open_client(closing, credentials)

    monkeypatch.setattr(sources, "_open", search_forever)
    address = f"s3://{s3.bucket}/a"
    slow = asyncio.create_task(fetch(sources, bare(s3, credentials="machine"), address))
    await searching.wait()
    assert (await fetch(sources, source(s3), address))[1] == SMALL
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
