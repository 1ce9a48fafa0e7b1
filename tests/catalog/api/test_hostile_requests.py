"""Hostile requests: each is answered with 4xx, writes nothing and leaves no descriptor open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from catalog.api.context import ApiContext
from catalog.api.strict_json import check_json
from catalog.core.api_errors import ApiError
from catalog.core.roles import Role
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.identity import IdempotencyKey
from catalog.records.image import Image
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_tokens import assert_problem
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME, ZOO
from tests.patience import until

JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=xx"}
END = b"--xx--\r\n"
DEEP = b'{"a":' * 100 + b"1" + b"}" * 100


def part(name: str, value: bytes, more: bytes = b"") -> bytes:
    return (
        b'--xx\r\nContent-Disposition: form-data; name="' + name.encode() + b'"' + more + b"\r\n\r\n" + value + b"\r\n"
    )


def file(name: str = "file", body: bytes | None = None) -> bytes:
    return part(name, picture() if body is None else body, b'; filename="a.jpg"')


@asynccontextmanager
async def descriptors_stay(database: Database) -> AsyncIterator[None]:
    """Assert that no descriptor is left open; a worker that refused an image is replaced a moment later."""
    # the pool opens its connections first: the server's own readers take some as well
    await asyncio.gather(*(rows(database) for _ in range(5)))
    before = _descriptors()
    yield
    await until(lambda: _descriptors() <= before)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def rows(database: Database) -> list[int]:
    """Return how many rows a request could have written."""
    async with database.reading() as session:
        columns = (Image.id, AuditEvent.id, IdempotencyKey.key)
        return [int((await session.execute(select(func.count(col(column))))).scalar_one()) for column in columns]


BODIES = [
    ("duplicate keys", b'{"name": "a", "name": "b"}', 400, "invalid-request"),
    ("duplicate keys within", b'{"name": "a", "x": [{"y": 1, "y": 2}]}', 400, "invalid-request"),
    ("byte order mark", b'\xef\xbb\xbf{"name": "a"}', 400, "invalid-request"),
    ("UTF-16", '{"name": "a"}'.encode("utf-16"), 400, "invalid-request"),
    ("UTF-32", '{"name": "a"}'.encode("utf-32-le"), 400, "invalid-request"),
    ("overlong UTF-8", b'{"name": "\xc0\x80"}', 400, "invalid-request"),
    ("NaN", b'{"name": NaN}', 400, "invalid-request"),
    ("infinity", b'{"name": -Infinity}', 400, "invalid-request"),
    ("two documents", b'{"name": "a"}{"name": "b"}', 400, "invalid-request"),
    ("a comment", b'{"name": "a" /* b */}', 400, "invalid-request"),
    ("a trailing comma", b'{"name": "a",}', 400, "invalid-request"),
    ("deep", DEEP, 400, "invalid-request"),
    ("very deep", b"[" * 500_000, 400, "invalid-request"),
    ("very deep objects", b'{"a":' * 100_000, 400, "invalid-request"),
    ("5,000 digits", b'{"name": ' + b"1" * 5_000 + b"}", 400, "invalid-request"),
    ("1e400", b'{"name": 1e400}', 422, "validation"),
    ("2^70", b'{"name": 1180591620717411303424}', 422, "validation"),
    ("NUL", b'{"name": "a\\u0000"}', 422, "validation"),
    ("lone surrogate", b'{"name": "\\ud800"}', 422, "validation"),
    ("lone surrogate in a key", b'{"name": "a", "\\udfff": 1}', 422, "validation"),
    ("too many keys", b'{"name": "a"' + b"".join(b', "%d": 1' % n for n in range(9_999)) + b"}", 422, "validation"),
    ("over 1 MiB", b'{"name": "' + b"x" * 2**20 + b'"}', 413, "too-large"),
    ("empty", b"", 422, "validation"),
    ("blank", b"  \n ", 400, "invalid-request"),
]


async def test_bodies_of_json(client_of: ClientOf, database: Database) -> None:
    editor = await client_of(Role.EDITOR)
    await editor.post("/api/collections", content=b"{}", headers=JSON)
    before = await rows(database)
    async with descriptors_stay(database):
        for name, body, status, code in BODIES:
            for headers in (JSON, {**JSON, "idempotency-key": "1"}, {"content-type": "application/merge-patch+json"}):
                answer = await editor.post("/api/collections", content=body, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (status, code), (name, answer.text)
    assert await rows(database) == before
    assert (await editor.get("/api/collections")).json()["items"] == []


def test_strictness_costs_nothing_that_is_json() -> None:
    for body in (
        b"",
        b"null",
        b"[]",
        '{"é": "\U0001f600"}'.encode(),
        b'{"a": {"a": 1}, "b": [1e300, -0.0, "\\ud83d\\ude00"]}',
    ):
        check_json(body)
    with pytest.raises(ApiError, match="more than once"):
        check_json(b'{"a": 1, "\\u0061": 2}')


FORMS = [
    ("no boundary", {"content-type": "multipart/form-data"}, file() + END, 400),
    ("empty boundary", {"content-type": 'multipart/form-data; boundary=""'}, file() + END, 400),
    ("overlong boundary", {"content-type": "multipart/form-data; boundary=" + "x" * 71}, file() + END, 400),
    ("another boundary", {"content-type": "multipart/form-data; boundary=yy"}, file() + END, 400),
    ("no form", {"content-type": "application/x-www-form-urlencoded"}, b"file=x", 400),
    ("JSON", JSON, b"{}", 400),
    ("mixed", {"content-type": "multipart/mixed; boundary=xx"}, file() + END, 400),
    ("no type", {}, file() + END, 400),
    ("no end", FORM, file(), 400),
    ("cut within the file", FORM, file()[:-200], 400),
    ("cut within a header", FORM, b"--xx\r\nContent-Disposition: form-data; na", 400),
    ("empty", FORM, b"", 400),
    ("no parts", FORM, END, 422),
    ("two files", FORM, file() + file() + END, 422),
    ("a file in another field", FORM, file("picture") + END, 422),
    ("a file that is a field", FORM, part("file", b"x") + END, 422),
    ("no file", FORM, part("title", b"x") + END, 422),
    ("an unknown field", FORM, file() + part("surprise", b"x") + END, 422),
    ("a field twice", FORM, file() + part("title", b"x") + part("title", b"y") + END, 422),
    ("10,000 parts", FORM, part("tags", b"x") * 10_000 + file() + END, 400),
    ("10,000 headers", FORM, b"--xx\r\n" + b"A: b\r\n" * 10_000 + b"\r\nx\r\n" + END, 400),
    ("a huge header", FORM, b"--xx\r\nContent-Disposition: " + b"x" * 500_000 + b"\r\n\r\nx\r\n" + END, 400),
    ("a huge header name", FORM, b"--xx\r\n" + b"x" * 500_000 + b": y\r\n\r\nx\r\n" + END, 400),
    ("a huge name", FORM, part("x" * 50_000, b"y") + END, 400),
    ("nested", FORM, part("file", file() + END, b"\r\nContent-Type: multipart/mixed; boundary=xx") + END, 400),
    ("nested as a file", FORM, file(body=b"--yy\r\n\r\nx\r\n--yy--") + END, 415),
    ("NUL in a field", FORM, file() + part("title", b"a\0b") + END, 422),
    ("no UTF-8 in a field", FORM, file() + part("title", b"\xff\xfe") + END, 400),
    ("a surrogate in UTF-8", FORM, file() + part("title", b"\xed\xa0\x80") + END, 400),
    ("a lone surrogate in metadata", FORM, file() + part("metadata", b'{"a": "\\ud800"}') + END, 422),
    ("NUL in metadata", FORM, file() + part("metadata", b'{"a\\u0000": 1}') + END, 422),
    ("keys of metadata twice", FORM, file() + part("metadata", b'{"a": 1, "a": 2}') + END, 422),
    ("deep metadata", FORM, file() + part("metadata", DEEP) + END, 422),
    ("very deep metadata", FORM, file() + part("metadata", b"[" * 60_000) + END, 422),
    ("1e400 in metadata", FORM, file() + part("metadata", b'{"a": 1e400}') + END, 422),
    ("2^70 in metadata", FORM, file() + part("metadata", b'{"a": 1180591620717411303424}') + END, 422),
    ("NaN in metadata", FORM, file() + part("metadata", b'{"a": NaN}') + END, 422),
    ("a focus that is not a number", FORM, file() + part("focus", b"nan,inf") + END, 422),
    ("a focus of 1e400", FORM, file() + part("focus", b"1e400,0.5") + END, 422),
    ("half an image", FORM, file(body=picture()[:300]) + END, 415),
    ("no image", FORM, file(body=b"x" * 5_000) + END, 415),
    ("an empty file", FORM, file(body=b"") + END, 415),
]


async def test_forms(client_of: ClientOf, context: ApiContext, database: Database) -> None:
    contributor = await client_of(Role.CONTRIBUTOR)
    await contributor.get("/api/images")
    before = await rows(database)
    async with descriptors_stay(database):
        for name, headers, body, status in FORMS:
            answer = await contributor.post("/api/images/upload", content=body, headers=headers)
            assert answer.status_code == status, (name, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
    assert await rows(database) == before
    folder = context.platform.settings.home / "originals"
    assert [path for path in folder.rglob("*") if path.is_file()] == []


async def cut(body: bytes) -> AsyncIterator[bytes]:
    """Yield a body that a client sends without telling its length."""
    for start in range(0, len(body), 1_000):
        yield body[start : start + 1_000]


async def test_a_body_without_a_length_is_limited_on_the_way(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    long = await admin.post("/api/collections", content=cut(b'{"name": "' + b"x" * 2**20 + b'"}'), headers=JSON)
    assert_problem(long, 413, "too-large")
    assert (await admin.post("/api/collections", content=cut(b'{"name": "x"}'), headers=JSON)).status_code == 201


QUERIES = [
    ("limit=1&limit=2", 422),
    ("limit=1&limit=1", 422),
    ("tenant=acme&tenant=zoo", 422),
    ("surprise=1", 422),
    ("limit=1&cursor=%00", 422),
    ("limit=%C2%85%00", 422),
    ("%00=1", 422),
    ("limit=99999999999999999999999", 422),
    ("limit=1e400", 422),
    ("limit=", 422),
    ("&".join(f"x{number}=1" for number in range(200)), 400),
    ("cursor=" + "x" * 60_000, 422),
]


async def test_queries(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for path in ("/api/collections", "/api/images", "/api/jobs", "/api/tokens", "/api/audit"):
        for query, status in QUERIES:
            answer = await admin.get(f"{path}?{query}")
            assert answer.status_code == status, (path, query, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"


async def test_parameters_of_other_routes_are_unknown(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    assert_problem(await admin.get("/api/images?state=failed"), 422, "validation")
    answer = await admin.post("/api/collections?dry_run=true", json={"name": "x"})
    assert answer.json()["errors"] == [
        {"at": "?dry_run", "code": "unknown-field", "detail": "This parameter does not exist."}
    ]
    assert (await admin.get("/api/collections")).json()["items"] == []


async def test_a_cursor_opens_its_own_list_alone(client_of: ClientOf) -> None:
    acme, zoo = await client_of(Role.ADMIN), await client_of(Role.ADMIN, ZOO)
    for client in (acme, zoo):
        for number in range(2):
            await client.post("/api/collections", json={"name": f"{number}"})
            await client.post("/api/tokens", json={"role": "viewer"})
            await client.post("/api/images/upload", files={"file": ("a.jpg", picture(number * 9))})
    kinds = {"collections", "images", "audit", "tokens"}
    for kind in sorted(kinds):
        cursor = (await acme.get(f"/api/{kind}?limit=1")).json()["next_cursor"]
        assert (await acme.get(f"/api/{kind}", params={"cursor": cursor})).status_code == 200
        for other in kinds - {kind}:
            assert_problem(await acme.get(f"/api/{other}", params={"cursor": cursor}), 400, "invalid-cursor")
        assert_problem(await zoo.get(f"/api/{kind}", params={"cursor": cursor}), 400, "invalid-cursor")


async def test_ids(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for kind in ("collections", "images", "jobs", "tokens"):
        for place in ("%00", "%0a", "%2e%2e%2f", "%ff", "a%2Fb", "x" * 4_000, "%F0%9F%98%80"):
            answer = await admin.get(f"/api/{kind}/{place}")
            assert answer.status_code == 404, (kind, place, answer.text)


SECURITY = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


async def test_every_answer_has_the_fields_of_security(
    client_of: ClientOf, context: ApiContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await client_of(Role.ADMIN, ACME)
    anonymous = {"authorization": ""}

    async def fail(*_: object) -> None:
        raise RuntimeError("secret of the house")

    answers = {
        200: await admin.get("/api/collections"),
        201: await admin.post("/api/collections", json={"name": "x"}),
        400: await admin.post("/api/collections", content=b"{", headers=JSON),
        401: await admin.get("/api/collections", headers=anonymous),
        403: await (await client_of(Role.VIEWER)).post("/api/collections", json={"name": "x"}),
        404: await admin.get("/api/nothing/at/all"),
        405: await admin.put("/api/collections"),
        409: await admin.post("/api/collections", json={"name": "x"}),
        413: await admin.post("/api/collections", content=b"x" * (2**20 + 1), headers=JSON),
        422: await admin.post("/api/collections", json={}),
    }
    monkeypatch.setattr("catalog.collections.service.list_collections", fail)
    answers[500] = await admin.get("/api/collections")
    for status, answer in answers.items():
        assert answer.status_code == status, answer.text
        assert {name: answer.headers[name] for name in SECURITY} == SECURITY, status
        assert len(answer.headers["x-request-id"]) == 16
        assert "server" not in answer.headers
        # A route that was reached has counted the request; 401, 403 and what no route answers have not.
        assert ("ratelimit" in answer.headers) == (status not in {401, 403, 404, 405, 413}), status
    assert_problem(answers[500], 500, "internal")
    assert "secret of the house" not in answers[500].text


async def test_a_path_is_taken_as_it_is_written_and_never_redirected(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    for path in ("/api/", "/api/images/", "/api//images", "//api", "/API/images", "/api/Images", "/%61pi/images/"):
        answer = await admin.get(path)
        assert (answer.status_code, answer.headers.get("location")) == (404, None), path


async def test_head_is_answered_or_refused_as_told(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    answer = await admin.head("/api/images")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    image = (await admin.post("/api/images/upload", files={"file": ("a.jpg", picture())})).json()
    head, get = [await admin.request(method, f"/api/images/by-hash/{image['original']}") for method in ("HEAD", "GET")]
    assert (head.status_code, head.headers["etag"]) == (200, get.headers["etag"])
    assert (await admin.head(f"/api/images/by-hash/{'0' * 64}")).status_code == 404


async def test_a_refused_token_costs_no_quota(client_of: ClientOf) -> None:
    admin = await client_of(Role.ADMIN)
    left = [(await admin.get("/api/collections")).headers["ratelimit"]]
    await admin.get("/api/collections", headers={"authorization": "Bearer wrong"})
    left.append((await admin.get("/api/collections")).headers["ratelimit"])
    assert [int(field.partition("r=")[2].partition(";")[0]) for field in left] == [1_199, 1_198]
