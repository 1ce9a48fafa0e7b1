"""Bodies that no client of good will sends, at every route of what a tenant names and decides."""

import json

from catalog.core.roles import Role
from catalog.records.database import Database
from catalog.records.tables import Record
from tests.catalog.api.fixtures import ClientOf

ROUTES = (
    ("POST", "/api/presets"),
    ("PUT", "/api/presets/card"),
    ("POST", "/api/watermarks"),
    ("PUT", "/api/watermarks/logo"),
    ("POST", "/api/sources"),
    ("PUT", "/api/sources/" + "0" * 32),
    ("POST", "/api/keys"),
    ("PUT", "/api/settings"),
    ("POST", "/api/tenants"),
    ("PUT", "/api/tenants/zoo"),
)
FIELDS = [
    "name",
    "recipe",
    "unsigned",
    "widths",
    "dprs",
    "image",
    "original",
    "prefix",
    "credentials",
    "secret",
    "limits",
    "rendering",
    "hints",
    "uploads",
    "retention",
    "eager_presets",
    "cors_origins",
    "settings",
    "reference_ttl_s",
]
VALUES = (
    b"5",
    b"-1",
    b"1e400",
    b"NaN",
    b"9" * 5_000,
    b'"\\u0000"',
    b'"\\ud800"',
    b'{"\\ud800": 1}',
    b'{"\\u0000": "x"}',
    b'"' + b"x" * 100_000 + b'"',
    b"[" + b"1," * 10_000 + b"1]",
    b"{" + b",".join(b'"k%d": 1' % number for number in range(10_000)) + b"}",
    b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
)
WHOLE = (b"", b"null", b"5", b'"x"', b"[]", b"{", b"\xff\xfe", b'{"a": 1}', b"[" * 100_000, b'{"name": 1, "name": 2}')


async def test_hostile_bodies_are_refused_and_write_nothing(client_of: ClientOf, database: Database) -> None:
    operator = await client_of(Role.OPERATOR)
    before = await counts(database)
    bodies = [*WHOLE, *(b'{"%s": %s}' % (FIELDS[at % len(FIELDS)].encode(), value) for at, value in enumerate(VALUES))]
    for method, path in ROUTES:
        own = [
            json.dumps({field: 5}).encode().replace(b"5", value)
            for field in FIELDS
            for value in (b'"\\u0000"', b'"\\ud800"', b"1e400")
        ]
        for body in [*bodies, *(own if path in {"/api/settings", "/api/presets"} else ())]:
            answer = await operator.request(method, path, content=body, headers={"content-type": "application/json"})
            assert 400 <= answer.status_code < 500, (method, path, body[:60], answer.text)
            assert answer.status_code != 429
            assert answer.headers["content-type"] == "application/problem+json"
            assert len(answer.content) < 20_000
    assert await counts(database) == before


async def counts(database: Database) -> dict[str, int]:
    """Return the number of rows of each table."""
    async with database.reading() as session:
        return {
            table.name: len((await session.execute(table.select())).all()) for table in Record.metadata.sorted_tables
        }
