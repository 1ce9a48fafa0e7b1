"""tus 1.0.0, rule by rule: core, creation, creation with upload, deferred length, expiration, checksum, termination."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from hashlib import md5, sha1, sha256

import httpx
import pytest

from catalog.api.body import BodyInterrupted
from catalog.core.roles import Role
from catalog.ports import Platform
from catalog.records.base import now
from catalog.records.database import Database
from catalog.records.upload_session import UploadSession
from catalog.uploads import receiving, sessions
from catalog.uploads.receiving import BlockWriter
from proxy.core.identifiers import UploadId
from tests.catalog.api.fixtures import MAX_UPLOAD_BYTES, ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME, ZOO
from tests.catalog.uploads.samples import change_session, images_created, rows_of, session_of, stored_uploads

TUS, VERSION = "/api/tus", {"tus-resumable": "1.0.0"}
BYTES = {"content-type": "application/offset+octet-stream"}


def metadata(**values: str) -> str:
    """Return a value of Upload-Metadata."""
    return ",".join(f"{name} {b64encode(value.encode()).decode()}" for name, value in values.items())


async def create(client: httpx.AsyncClient, size: int | None, body: bytes = b"", **headers: str) -> httpx.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    length = {} if size is None else {"upload-length": str(size)}
    media_type = BYTES if body else {}
    return await client.post(TUS, content=body, headers=VERSION | length | media_type | fields)


async def created(client: httpx.AsyncClient, size: int | None, body: bytes = b"", **headers: str) -> str:
    answer = await create(client, size, body, **headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    return str(answer.headers["location"])


async def patch(
    client: httpx.AsyncClient, place: str, offset: int, body: bytes | AsyncIterator[bytes] = b"", **headers: str
) -> httpx.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.patch(place, content=body, headers=VERSION | BYTES | {"upload-offset": str(offset)} | fields)


async def head(client: httpx.AsyncClient, place: str) -> httpx.Response:
    return await client.head(place, headers=VERSION)


async def test_options_tell_what_there_is(client_of: ClientOf) -> None:
    answer = await (await client_of(Role.CONTRIBUTOR)).options(TUS)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "expiration",
        "checksum",
        "termination",
    }
    assert answer.headers["tus-max-size"] == str(2**20)
    assert answer.headers["tus-checksum-algorithm"] == "sha1,sha256"


async def test_a_file_in_three_requests_is_an_image(
    client_of: ClientOf, database: Database, platform: Platform
) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    told = metadata(
        filename="chair.jpg", filetype="image/jpeg", title="Stühle", tags='["blue", "oak"]', metadata='{"sku": "42"}',
        focus="0.25,0.75", entity_type="product", entity_id="42", primary="true",
    )  # fmt: skip
    place = await created(client, len(body), upload_metadata=told)
    assert place.startswith("/api/tus/")
    begun = await head(client, place)
    assert (begun.status_code, begun.headers["upload-offset"]) == (200, "0")
    assert begun.headers["upload-length"] == str(len(body))
    assert begun.headers["upload-metadata"] == told
    assert begun.headers["cache-control"] == "no-store"
    assert "x-image-id" not in begun.headers
    for start, end in ((0, 100), (100, 400)):
        answer = await patch(client, place, start, body[start:end])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(end))
        assert "x-image-id" not in answer.headers
        assert parsedate_to_datetime(answer.headers["upload-expires"]) > now()
        assert (await head(client, place)).headers["upload-offset"] == str(end)
    last = await patch(client, place, 400, body[400:])
    assert (last.status_code, last.headers["upload-offset"]) == (204, str(len(body)))
    image = (await client.get(f"/api/images/{last.headers['x-image-id']}")).json()
    assert (image["original"], image["file_name"]) == (sha256(body).hexdigest(), "chair.jpg")
    assert (image["title"], image["tags"], image["metadata"]) == ("Stühle", ["blue", "oak"], {"sku": "42"})
    assert image["focus"] == {"x": 0.25, "y": 0.75}
    assert image["entities"] == [{"type": "product", "id": "42", "position": 0, "primary": True}]
    done = await head(client, place)
    assert (done.headers["upload-offset"], done.headers["x-image-id"]) == (str(len(body)), image["id"])
    again = await patch(client, place, len(body))
    assert (again.status_code, again.headers["x-image-id"]) == (204, image["id"])
    assert_problem(await patch(client, place, 0, body), 409, "offset-conflict")
    assert_problem(await patch(client, place, len(body), b"x"), 413, "too-large")
    assert await images_created(database) == 1
    assert await stored_uploads(platform) == []


@pytest.mark.parametrize("version", [None, "0.2.2", "1.0"])
async def test_every_request_names_the_version(client_of: ClientOf, version: str | None) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    place = await created(client, 10)
    headers = {"upload-length": "10", "upload-offset": "0"} | BYTES | ({"tus-resumable": version} if version else {})
    for method, path in (("POST", TUS), ("PATCH", place), ("HEAD", place), ("DELETE", place)):
        answer = await client.request(method, path, headers=headers)
        assert answer.status_code == 412, method
        assert (answer.headers["tus-version"], answer.headers["tus-resumable"]) == ("1.0.0", "1.0.0")
    assert (await head(client, place)).headers["upload-offset"] == "0"


async def test_answers_of_every_kind_name_the_version(client_of: ClientOf) -> None:
    client = await client_of(Role.VIEWER)
    for answer in (await create(client, 10), await client.put(TUS), await client.get(f"{TUS}/x/y")):
        assert answer.status_code in {403, 404, 405}
        assert answer.headers["tus-resumable"] == "1.0.0"


async def test_a_method_can_be_overridden(client_of: ClientOf) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    place = await created(client, len(body))
    headers = VERSION | BYTES | {"upload-offset": "0", "x-http-method-override": "PATCH"}
    answer = await client.post(place, content=body[:9], headers=headers)
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "9")
    answer = await client.post(place, headers=VERSION | {"x-http-method-override": "DELETE"})
    assert answer.status_code == 204
    assert (await head(client, place)).status_code == 410


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "invalid-request"),
        ({"upload-length": "-1"}, 400, "invalid-request"),
        ({"upload-length": "ten"}, 400, "invalid-request"),
        ({"upload-length": "1" * 16}, 400, "invalid-request"),
        ({"upload-length": "10", "upload-defer-length": "1"}, 400, "invalid-request"),
        ({"upload-defer-length": "2"}, 400, "invalid-request"),
        ({"upload-length": "10", "upload-concat": "partial"}, 400, "invalid-request"),
        ({"upload-length": "0"}, 415, "upload-refused"),
        ({"upload-length": str(2**20 + 1)}, 413, "too-large"),
        ({"upload-length": "10", "upload-metadata": "filename !"}, 400, "invalid-request"),
        ({"upload-length": "10", "upload-metadata": "a eA==,a eA=="}, 400, "invalid-request"),
        ({"upload-length": "10", "upload-metadata": ",,"}, 400, "invalid-request"),
        ({"upload-length": "10", "upload-metadata": "title /w=="}, 400, "invalid-request"),
        ({"upload-length": "10", "upload-metadata": metadata(unknown="x")}, 422, "validation"),
        ({"upload-length": "10", "upload-metadata": metadata(tags='["x", 5]')}, 422, "validation"),
        ({"upload-length": "10", "upload-metadata": metadata(tags="[")}, 422, "validation"),
        ({"upload-length": "10", "upload-metadata": metadata(focus="1")}, 422, "validation"),
        ({"upload-length": "10", "upload-metadata": metadata(sha256="x")}, 422, "validation"),
        ({"upload-length": "10", "upload-metadata": metadata(entity_type="product")}, 422, "validation"),
        ({"upload-length": "10", "upload-metadata": metadata(filename="a.php")}, 415, "upload-refused"),
        ({"upload-length": "10", "upload-checksum": "md5 eA=="}, 400, "invalid-request"),
    ],
)
async def test_a_creation_is_checked(
    client_of: ClientOf, database: Database, headers: dict[str, str], status: int, code: str
) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    assert_problem(await client.post(TUS, headers=VERSION | headers), status, code)
    assert await rows_of(database, UploadSession) == []


async def test_metadata_as_clients_send_it(client_of: ClientOf) -> None:
    """Uppy sends keys of its own; a value may be empty; tags may have commas between them."""
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    told = metadata(relativePath="null", name="chair.jpg", type="image/jpeg", tags="blue, oak,") + ",title"
    answer = await create(client, len(body), body, upload_metadata=told)
    assert answer.status_code == 201, answer.text
    image = (await client.get(f"/api/images/{answer.headers['x-image-id']}")).json()
    assert (image["file_name"], image["title"], image["tags"]) == ("chair.jpg", None, ["blue", "oak"])


@pytest.mark.parametrize("share", [0.5, 1.0])
async def test_a_creation_may_bring_bytes(client_of: ClientOf, share: float) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    count = int(len(body) * share)
    answer = await create(client, len(body), body[:count])
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(count))
    assert ("x-image-id" in answer.headers) == (share == 1)
    assert parsedate_to_datetime(answer.headers["upload-expires"]) > now()
    if share < 1:
        last = await patch(client, answer.headers["location"], count, body[count:])
        assert (last.status_code, "x-image-id" in last.headers) == (204, True)


async def test_bytes_are_declared_as_such(client_of: ClientOf) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    assert_problem(await create(client, 10, b"x", content_type="image/jpeg"), 415, "content-type")
    place = await created(client, 10)
    assert_problem(await patch(client, place, 0, b"x", content_type="image/jpeg"), 415, "content-type")
    answer = await client.patch(place, content=b"x", headers=VERSION | BYTES)
    assert_problem(answer, 400, "invalid-request")
    assert (await head(client, place)).headers["upload-offset"] == "0"


async def test_another_offset_is_409_and_changes_nothing(client_of: ClientOf) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    place = await created(client, len(body), body[:100])
    for offset in (0, 99, 101, len(body)):
        answer = await patch(client, place, offset, body[100:])
        assert_problem(answer, 409, "offset-conflict")
        assert "100" in answer.json()["detail"]
    assert_problem(await patch(client, place, 100, body[100:], upload_offset="x"), 400, "invalid-request")
    assert (await head(client, place)).headers["upload-offset"] == "100"


async def test_of_two_requests_at_once_one_wins(client_of: ClientOf, database: Database) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    place = await created(client, len(body))
    answers = await asyncio.gather(*(patch(client, place, 0, body) for _ in range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 204
    assert set(statuses[1:]) <= {204, 409}
    assert "x-image-id" in (await head(client, place)).headers
    assert await images_created(database) == 1


async def test_more_bytes_than_announced_are_refused(client_of: ClientOf) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    place = await created(client, len(body))
    assert_problem(await patch(client, place, 0, body + b"x"), 413, "too-large")
    assert (await head(client, place)).headers["upload-offset"] == "0"

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (body[:50], body, b"x"):
            yield piece

    assert_problem(await patch(client, place, 0, pieces()), 413, "too-large")
    assert (await head(client, place)).headers["upload-offset"] == "50", "what came before is kept"
    assert (await patch(client, place, 50, body[50:])).status_code == 204
    assert MAX_UPLOAD_BYTES > 2**20
    answer = await client.patch(place, content=bytes(2**20 + 1), headers=VERSION | BYTES | {"upload-offset": "0"})
    assert_problem(answer, 413, "too-large")


async def test_the_length_may_follow(client_of: ClientOf) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    place = await created(client, None, upload_defer_length="1")
    begun = await head(client, place)
    assert begun.headers["upload-defer-length"] == "1"
    assert "upload-length" not in begun.headers
    assert (await patch(client, place, 0, body[:100])).status_code == 204
    assert_problem(await patch(client, place, 100, b"", upload_length="99"), 400, "invalid-request")
    assert_problem(await patch(client, place, 100, b"", upload_length=str(2**21)), 413, "too-large")
    assert (await patch(client, place, 100, body[100:200], upload_length=str(len(body)))).status_code == 204
    known = await head(client, place)
    assert known.headers["upload-length"] == str(len(body))
    assert "upload-defer-length" not in known.headers
    assert_problem(await patch(client, place, 200, b"", upload_length="900"), 400, "invalid-request")
    last = await patch(client, place, 200, body[200:], upload_length=str(len(body)))
    assert (last.status_code, "x-image-id" in last.headers) == (204, True)


@pytest.mark.parametrize(("name", "algorithm"), [("sha1", sha1), ("sha256", sha256)])
async def test_a_checksum_is_checked(client_of: ClientOf, name: str, algorithm: type) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()

    def checksum(content: bytes) -> str:
        return f"{name} {b64encode(algorithm(content).digest()).decode()}"

    place = await created(client, len(body), body[:9], upload_checksum=checksum(body[:9]))
    wrong = await patch(client, place, 9, body[9:100], upload_checksum=checksum(body[9:101]))
    assert_problem(wrong, 460, "checksum-mismatch")
    unknown = f"md5 {b64encode(md5(body).digest()).decode()}"
    assert_problem(await patch(client, place, 9, body[9:], upload_checksum=unknown), 400, "invalid-request")
    assert (await head(client, place)).headers["upload-offset"] == "9"
    assert (await patch(client, place, 9, body[9:100], upload_checksum=checksum(body[9:100]))).status_code == 204
    last = await patch(client, place, 100, body[100:], upload_checksum=checksum(body[100:]))
    assert (last.status_code, "x-image-id" in last.headers) == (204, True)


async def test_a_creation_with_a_wrong_checksum_has_no_bytes(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    wrong = f"sha1 {b64encode(sha1(b'x').digest()).decode()}"
    assert_problem(await create(client, len(body), body, upload_checksum=wrong), 460, "checksum-mismatch")
    assert await stored_uploads(platform) == []


async def test_an_upload_can_be_terminated(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    for place in (await created(client, len(body), body[:100]), await created(client, len(body), body)):
        image = (await head(client, place)).headers.get("x-image-id")
        answer = await client.delete(place, headers=VERSION)
        assert (answer.status_code, answer.headers["tus-resumable"]) == (204, "1.0.0")
        assert (await head(client, place)).status_code == 410
        assert "upload-offset" not in (await head(client, place)).headers
        assert_problem(await patch(client, place, 100, body[100:]), 410, "upload-gone")
        assert_problem(await client.delete(place, headers=VERSION), 410, "upload-gone")
        if image:
            assert (await client.get(f"/api/images/{image}")).status_code == 200
    assert await stored_uploads(platform) == []


async def test_an_upload_expires(client_of: ClientOf, database: Database) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    place = await created(client, len(body), body[:100])
    expires = parsedate_to_datetime((await head(client, place)).headers["upload-expires"])
    assert timedelta(hours=23) < expires - now() <= sessions.LIFETIME
    await change_session(database, place.rpartition("/")[2], expires_at=now() - timedelta(seconds=1))
    assert (await head(client, place)).status_code == 410
    assert_problem(await patch(client, place, 100, body[100:]), 410, "upload-gone")


async def test_what_was_never_created_is_404(client_of: ClientOf) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    mine = await created(client, len(body))
    for place in (f"{TUS}/019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071", f"{TUS}/x"):
        assert (await head(client, place)).status_code == 404
        assert_problem(await patch(client, place, 0, body), 404, "not-found")
    zoo = await client_of(Role.ADMIN, ZOO)
    assert_problem(await patch(zoo, mine, 0, body), 404, "not-found")
    assert_problem(await patch(await client_of(Role.CONTRIBUTOR), mine, 0, body), 403, "not-permitted")
    assert (await patch(await client_of(Role.EDITOR), mine, 0, body)).status_code == 204


async def test_a_refused_file_is_the_same_problem_and_ends_the_upload(
    client_of: ClientOf, database: Database, platform: Platform
) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()[:-40]
    answer = await create(client, len(body), body)
    assert_problem(answer, 415, "damaged")
    [row] = await rows_of(database, UploadSession)
    assert (row.state, row.outcome["code"]) == ("aborted", "damaged")
    assert (await head(client, f"{TUS}/{row.id}")).status_code == 410
    whole = picture()
    wrong = await create(client, len(whole), whole, upload_metadata=metadata(sha256="0" * 64))
    assert_problem(wrong, 422, "validation")
    typed = await create(client, len(whole), whole, upload_metadata=metadata(filetype="image/png"))
    assert_problem(typed, 415, "upload-refused")
    assert await images_created(database) == 0
    assert await stored_uploads(platform) == []


@pytest.mark.parametrize("by", ["HEAD", "PATCH"])
async def test_an_upload_whose_end_was_lost_is_completed_by_whoever_asks(
    client_of: ClientOf, database: Database, platform: Platform, by: str
) -> None:
    """As after a kill between the last byte and the image."""
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    place = await created(client, len(body), body[:100])
    upload = UploadId(place.rpartition("/")[2])
    assert await platform.upload_parts.append(ACME, upload, 100, body[100:])
    answer = await (head(client, place) if by == "HEAD" else patch(client, place, len(body)))
    assert answer.is_success
    assert answer.headers["upload-offset"] == str(len(body))
    assert (await client.get(f"/api/images/{answer.headers['x-image-id']}")).status_code == 200
    assert (await session_of(database, upload)).image == answer.headers["x-image-id"]


async def test_a_creation_is_idempotent(client_of: ClientOf, database: Database) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    first = await create(client, len(body), body[:100], idempotency_key="one")
    again = await create(client, len(body), body[:100], idempotency_key="one")
    assert (again.status_code, again.headers["location"]) == (201, first.headers["location"])
    assert (again.headers["upload-offset"], again.headers["idempotency-replayed"]) == ("100", "true")
    assert_problem(await create(client, len(body) + 1, idempotency_key="one"), 422, "idempotency-key-reused")
    assert len(await rows_of(database, UploadSession)) == 1
    last = await patch(client, first.headers["location"], 100, body[100:], idempotency_key="two")
    assert "x-image-id" in last.headers


async def test_what_came_before_a_cut_is_kept(platform: Platform) -> None:
    parts, upload = platform.upload_parts, UploadId("019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071")

    async def cut(count: int, size: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(size)
        raise BodyInterrupted

    expected = 0
    for count, size in ((0, 1), (3, 7), (5, parts.block_bytes // 4), (1, 1)):
        stored = await parts.stored(ACME, upload)
        writer = BlockWriter(parts, ACME, upload, stored, 2**24, now() + timedelta(hours=1))
        with pytest.raises(BodyInterrupted):
            await writer.receive(cut(count, size))
        expected += count * size
        assert writer.offset == expected
        assert (await parts.stored(ACME, upload)).size_bytes == expected


async def test_an_upload_in_too_many_pieces_comes_to_an_end(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), picture()
    monkeypatch.setattr(receiving, "MAX_BLOCKS", 2)
    place = await created(client, len(body), body[:1])
    assert (await patch(client, place, 1, body[1:2])).status_code == 204
    assert_problem(await patch(client, place, 2, body[2:]), 422, "over-limit")
