"""How tenant zoo asks for what is acme's, route by route: the table of the walk in `test_isolation`.

A new route needs a row: `"METHOD /path": lambda acme: [Ask(...), ...]`, with ids of acme wherever the route takes an
id, in path, query and body. What a route needs that acme does not have yet is added to `Things` and `furnish`. Routes
that only operators may call need no row: an admin gets 403. Nor do public ones without parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any, Final

import httpx

from catalog.core.job_state import Priority
from catalog.jobs.enqueue import System, enqueue
from catalog.records.database import Database
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME

PICTURE: Final = picture(level=177)
DETAILS: Final = {
    "title": "acme title",
    "alt_text": "acme alternative",
    "caption": "acme caption",
    "tags": "acme-tag",
    "metadata": '{"sku": "acme-sku"}',
}


@dataclass(frozen=True, slots=True)
class Things:
    """What acme has. Every text here must never be in an answer to zoo, unless zoo has sent it."""

    image: str
    original: str
    collection: str
    token: str
    job: str
    cursor: str
    """Of acme's list of images."""
    tenant: str = "acme"
    file_name: str = "acme-chair.jpg"
    title: str = DETAILS["title"]
    alt_text: str = DETAILS["alt_text"]
    tag: str = DETAILS["tags"]
    sku: str = "acme-sku"
    collection_name: str = "acme collection"
    entity_type: str = "product"
    entity_id: str = "acme-42"

    @property
    def marks(self) -> frozenset[str]:
        """Texts by which something of acme is recognised."""
        return frozenset(getattr(self, each.name) for each in fields(self)) - {"product"}


async def furnish(admin: httpx.AsyncClient, database: Database) -> Things:
    """Give acme one of everything, as an admin of acme does."""
    collection = await admin.post("/api/collections", json={"name": "acme collection"})
    entity = {"entity_type": "product", "entity_id": "acme-42", "collection": collection.json()["id"]}
    uploads = [
        await admin.post("/api/images/upload", files={"file": ("acme-chair.jpg", body)}, data=DETAILS | entity)
        for body in (PICTURE, picture(level=178))
    ]
    assert [upload.status_code for upload in uploads] == [201, 201], uploads[0].text
    token = await admin.post("/api/tokens", json={"role": "admin", "name": "acme token"})
    async with database.writing() as session:
        job = await enqueue(session, System(ACME, "system"), "acme.kind", {"note": "acme-sku"}, Priority.PIPELINE)
    page = await admin.get("/api/images", params={"limit": 1})
    return Things(
        image=uploads[0].json()["id"],
        original=sha256(PICTURE).hexdigest(),
        collection=collection.json()["id"],
        token=token.json()["id"],
        job=job.id,
        cursor=page.json()["next_cursor"],
    )


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of zoo's, and the statuses that it may be answered with."""

    ids: Mapping[str, str] = field(default_factory=dict)
    """For the parameters of the path."""
    query: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[tuple[str, tuple[str, bytes]]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: tuple[int, ...] = (404,)


_FOUND_NOTHING = (200,)
"""A list or a count in which nothing of acme is."""

WALK: Final[Mapping[str, Callable[[Things], Sequence[Ask]]]] = {
    "GET /api/audit": lambda acme: [
        Ask(answers=_FOUND_NOTHING),
        Ask(query={"subject": acme.image}, answers=(200, 400, 422)),
    ],
    "GET /api/collections": lambda _: [Ask(answers=_FOUND_NOTHING)],
    "POST /api/collections": lambda acme: [Ask(json={"name": acme.collection_name}, answers=(201,))],
    "GET /api/collections/{id}": lambda acme: [Ask({"id": acme.collection})],
    "PUT /api/collections/{id}": lambda acme: [Ask({"id": acme.collection}, json={"name": "taken over"})],
    "DELETE /api/collections/{id}": lambda acme: [Ask({"id": acme.collection})],
    "GET /api/images": lambda acme: [
        Ask(answers=_FOUND_NOTHING),
        Ask(query={"cursor": acme.cursor, "limit": "1"}, answers=(400,)),
    ],
    "GET /api/images/{id}": lambda acme: [Ask({"id": acme.image})],
    "GET /api/images/{id}/original": lambda acme: [Ask({"id": acme.image})],
    "GET /api/images/by-hash/{sha256}": lambda acme: [Ask({"sha256": acme.original})],
    "HEAD /api/images/by-hash/{sha256}": lambda acme: [Ask({"sha256": acme.original})],
    "PUT /api/images/{id}/metadata": lambda acme: [Ask({"id": acme.image}, json={"title": "taken over"})],
    "PATCH /api/images/{id}/metadata": lambda acme: [Ask({"id": acme.image}, json={"title": "taken over"})],
    "POST /api/images/upload": lambda acme: [
        # 201 and not 200: nobody learns that another tenant has the same bytes
        Ask(files=[("file", ("chair.jpg", PICTURE))], answers=(201,)),
        Ask(files=[("file", ("x.jpg", picture(level=3)))], form={"collection": acme.collection}, answers=(422,)),
        Ask(
            files=[("file", ("y.jpg", picture(level=4)))],
            form={"entity_type": acme.entity_type, "entity_id": acme.entity_id},
            answers=(201,),
        ),
    ],
    "POST /api/images/upload/multiple": lambda acme: [
        Ask(files=[("files", ("z.jpg", picture(level=5)))], form={"collection": acme.collection}, answers=(200,)),
    ],
    "GET /api/jobs": lambda acme: [
        Ask(answers=_FOUND_NOTHING),
        Ask(query={"image": acme.image}, answers=_FOUND_NOTHING),
    ],
    "GET /api/jobs/{id}": lambda acme: [Ask({"id": acme.job})],
    "GET /api/jobs/{id}/events": lambda acme: [Ask({"id": acme.job})],
    "POST /api/jobs/{id}/cancel": lambda acme: [Ask({"id": acme.job})],
    "POST /api/jobs/{id}/retry": lambda acme: [Ask({"id": acme.job})],
    "GET /api/tokens": lambda _: [Ask(answers=_FOUND_NOTHING)],
    "POST /api/tokens": lambda _: [Ask(json={"role": "admin"}, answers=(201,))],
    "GET /api/tokens/{id}": lambda acme: [Ask({"id": acme.token})],
    "DELETE /api/tokens/{id}": lambda acme: [Ask({"id": acme.token})],
}
