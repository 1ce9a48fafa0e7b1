"""What the port `UploadParts` promises, of every adapter; and the forms of S3."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from proxy.adapters.s3 import S3UploadParts
from proxy.core.errors import LimitExceeded
from proxy.core.identifiers import TenantName, UploadId
from proxy.delivery.staging import StagedFile
from proxy.ports import PresignedPost, StoredParts, UploadParts
from tests.adapters.samples import ACME, LARGE, OTHER, SMALL, opened

ONE = UploadId("019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071")
TWO = UploadId("019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6072")
NONE = StoredParts()


@pytest.fixture(params=["file_upload_parts", "s3_upload_parts"])
def parts(request: pytest.FixtureRequest) -> UploadParts:
    adapter: UploadParts = request.getfixturevalue(request.param)
    return adapter


async def content(parts: UploadParts, upload: UploadId = ONE, tenant: TenantName = ACME) -> bytes:
    with StagedFile(2**24) as staged:
        await parts.read(tenant, upload, staged)
        with staged.open() as original:
            return original.head(2**24)


async def test_an_upload_that_is_not_known_has_nothing(parts: UploadParts) -> None:
    assert await parts.stored(ACME, ONE) == NONE
    assert await content(parts) == b""
    assert await parts.uploads(ACME) == []
    await parts.delete(ACME, ONE)


async def test_blocks_follow_each_other(parts: UploadParts) -> None:
    assert await parts.append(ACME, ONE, 0, b"abc")
    assert await parts.append(ACME, ONE, 3, LARGE)
    assert await parts.append(ACME, ONE, 3 + len(LARGE), b"d")
    assert await parts.stored(ACME, ONE) == StoredParts(len(LARGE) + 4, 3)
    assert await content(parts) == b"abc" + LARGE + b"d"


async def test_of_two_blocks_at_one_offset_the_first_stays(parts: UploadParts) -> None:
    assert await parts.append(ACME, ONE, 0, b"abc")
    assert not await parts.append(ACME, ONE, 0, b"other")
    assert await content(parts) == b"abc"


async def test_of_sixteen_writers_at_one_offset_one_succeeds(parts: UploadParts) -> None:
    await parts.append(ACME, ONE, 0, b"abc")
    blocks = [bytes([number]) * 1_000 for number in range(16)]
    results = await asyncio.gather(*(parts.append(ACME, ONE, 3, block) for block in blocks))
    assert sum(results) == 1
    assert await content(parts) == b"abc" + blocks[results.index(True)]


async def test_what_follows_a_gap_is_not_stored(parts: UploadParts) -> None:
    await parts.append(ACME, ONE, 0, b"abc")
    await parts.append(ACME, ONE, 4, b"e")
    assert await parts.stored(ACME, ONE) == StoredParts(3, 1)
    assert await content(parts) == b"abc"
    await parts.append(ACME, ONE, 3, b"d")
    assert await content(parts) == b"abcde"


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_a_file_takes_the_place_of_what_was_there(parts: UploadParts, body: bytes) -> None:
    for sent in (b"before", body):
        with opened(sent) as source:
            await parts.replace(ACME, ONE, source)
    assert await parts.stored(ACME, ONE) == StoredParts(len(body), 1)
    assert await content(parts) == body


async def test_a_sink_may_refuse(parts: UploadParts) -> None:
    await parts.append(ACME, ONE, 0, SMALL)
    with StagedFile(len(SMALL) - 1) as staged, pytest.raises(LimitExceeded):
        await parts.read(ACME, ONE, staged)


async def test_uploads_and_tenants_are_apart(parts: UploadParts) -> None:
    await parts.append(ACME, ONE, 0, b"abc")
    await parts.append(ACME, TWO, 0, b"def")
    assert await parts.stored(OTHER, ONE) == NONE
    assert (await parts.uploads(ACME), await parts.uploads(OTHER)) == ([ONE, TWO], [])
    await parts.delete(OTHER, ONE)
    await parts.delete(ACME, TWO)
    assert await parts.uploads(ACME) == [ONE]
    assert await content(parts) == b"abc"


async def test_a_deleted_upload_can_begin_again(parts: UploadParts) -> None:
    for number in range(5):
        await parts.append(ACME, ONE, number, b"x")
    await parts.delete(ACME, ONE)
    assert await parts.stored(ACME, ONE) == NONE
    assert await parts.append(ACME, ONE, 0, b"abc")


async def test_a_cancelled_write_leaves_nothing_or_the_whole(parts: UploadParts) -> None:
    for pause_s in (0, 0.001, 0.005, 0.02):
        task = asyncio.ensure_future(parts.append(ACME, ONE, 0, LARGE))
        await asyncio.sleep(pause_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await parts.append(ACME, ONE, 0, LARGE)
    assert await content(parts) == LARGE


@pytest.mark.parametrize("name", ["..", "../" + "a" * 33, "A" * 36, "", ONE + "\n", ONE.upper()])
async def test_what_is_no_identifier_never_becomes_a_name(parts: UploadParts, name: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        await parts.append(ACME, UploadId(name), 0, b"x")


@pytest.mark.parametrize("name", ["..", ".incoming", "a/b", "", "A"])
async def test_what_is_no_tenant_never_becomes_a_name(parts: UploadParts, name: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        await parts.append(TenantName(name), ONE, 0, b"x")


async def test_a_disk_has_an_end_and_gives_no_forms(file_upload_parts: UploadParts) -> None:
    assert (await file_upload_parts.free_bytes() or 0) > 0
    assert await file_upload_parts.presign(ACME, ONE, 5, 60) is None


async def presigned(parts: S3UploadParts, size_bytes: int) -> PresignedPost:
    form = await parts.presign(ACME, ONE, size_bytes, 60)
    assert form is not None
    return form


async def send(form: PresignedPost, body: bytes) -> int:
    async with httpx.AsyncClient() as client:
        answer = await client.post(form.url, data=dict(form.fields), files={"file": ("any.jpg", body)})
        return answer.status_code


async def test_a_form_stores_a_file_of_its_length_at_its_key(s3_upload_parts: S3UploadParts) -> None:
    assert await s3_upload_parts.free_bytes() is None
    form = await presigned(s3_upload_parts, 5)
    assert "x-amz-signature" in form.fields
    assert await send(form, b"hello") in {200, 204}
    assert await content(s3_upload_parts) == b"hello"
    assert await send(form, b"again") in {200, 204}
    assert await content(s3_upload_parts) == b"again"


async def test_a_form_refuses_other_lengths_and_keys(s3_upload_parts: S3UploadParts) -> None:
    form = await presigned(s3_upload_parts, 5)
    assert 400 <= await send(form, b"hell") < 500
    assert 400 <= await send(form, b"hello!") < 500
    other = replace(form, fields={**form.fields, "key": form.fields["key"].replace(ONE, TWO)})
    assert 400 <= await send(other, b"hello") < 500
    assert await s3_upload_parts.uploads(ACME) == []
