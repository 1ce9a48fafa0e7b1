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
_SECOND: Final = picture(level=178)
_SECOND_NAME: Final = sha256(_SECOND).hexdigest()
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
    key: str = ""
    """A number, which is in other answers as well."""
    preset: str = "acmecard"
    watermark: str = "acmelogo"
    source: str = ""
    source_prefix: str = "https://acme.example.com/photos"
    upload: str = ""
    content: str = ""
    """The seal of the upload's URL."""
    tus: str = ""

    @property
    def marks(self) -> frozenset[str]:
        """Texts by which something of acme is recognised."""
        return frozenset(getattr(self, each.name) for each in fields(self)) - {"product", self.key}


async def furnish(admin: httpx.AsyncClient, database: Database) -> Things:
    """Give acme one of everything, as an admin of acme does."""
    collection = await admin.post("/api/collections", json={"name": "acme collection"})
    entity = {"entity_type": "product", "entity_id": "acme-42", "collection": collection.json()["id"]}
    uploads = [
        await admin.post("/api/images/upload", files={"file": ("acme-chair.jpg", body)}, data=DETAILS | entity)
        for body in (PICTURE, _SECOND)
    ]
    assert [upload.status_code for upload in uploads] == [201, 201], uploads[0].text
    token = await admin.post("/api/tokens", json={"role": "admin", "name": "acme token"})
    async with database.writing() as session:
        job = await enqueue(session, System(ACME, "system"), "acme.kind", {"note": "acme-sku"}, Priority.PIPELINE)
    page = await admin.get("/api/images", params={"limit": 1})
    image = uploads[0].json()["id"]
    key = await admin.post("/api/keys", json={})
    preset = await admin.post("/api/presets", json={"name": "acmecard", "recipe": "w40-h30-webp"})
    watermark = await admin.post("/api/watermarks", json={"name": "acmelogo", "image": image})
    source = await admin.post("/api/sources", json={"prefix": "https://acme.example.com/photos"})
    upload = await admin.post("/api/uploads", json={"file_name": "acme-chair.jpg", "size_bytes": 10})
    tus = await admin.post("/api/tus", headers={"tus-resumable": "1.0.0", "upload-length": "10"})
    made = (key, preset, watermark, source, upload, tus)
    assert [answer.status_code for answer in made] == [201] * len(made), [answer.text for answer in made]
    return Things(
        image=uploads[0].json()["id"],
        original=sha256(PICTURE).hexdigest(),
        collection=collection.json()["id"],
        token=token.json()["id"],
        job=job.id,
        cursor=page.json()["next_cursor"],
        key=str(key.json()["id"]),
        source=source.json()["id"],
        upload=upload.json()["id"],
        content=upload.json()["url"].partition("seal=")[2],
        tus=tus.headers["location"].rpartition("/")[2],
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

_TUS: Final = {"tus-resumable": "1.0.0"}
_ACMES: Final = "/t/acme/{original}/w40-webp"

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
    "POST /api/purge": lambda acme: [
        Ask(json={"image": acme.image}),
        Ask(json={"preset": acme.preset}, answers=(202, 404)),
        Ask(json={"all": True}, answers=(202,)),
    ],
    "PUT /api/images/{id}/convert": lambda acme: [Ask({"id": acme.image}, json={"format": "webp"})],
    "GET /api/images/{id}/duplicates": lambda acme: [Ask({"id": acme.image})],
    "GET /api/images/entity/{type}/{entity_id}": lambda acme: [
        Ask({"type": acme.entity_type, "entity_id": acme.entity_id}, answers=(200, 404))
    ],
    "PUT /api/images/entity/{type}/{entity_id}/order": lambda acme: [
        Ask({"type": acme.entity_type, "entity_id": acme.entity_id}, json={"ids": [acme.image]}, answers=(404, 409))
    ],
    "PUT /api/images/entity/{type}/{entity_id}/primary": lambda acme: [
        Ask({"type": acme.entity_type, "entity_id": acme.entity_id}, json={"id": acme.image}, answers=(404, 409))
    ],
    "PUT /api/images/{id}/entities/{type}/{entity_id}": lambda acme: [
        Ask({"id": acme.image, "type": acme.entity_type, "entity_id": acme.entity_id}, json={})
    ],
    "DELETE /api/images/{id}/entities/{type}/{entity_id}": lambda acme: [
        Ask({"id": acme.image, "type": acme.entity_type, "entity_id": acme.entity_id})
    ],
    "DELETE /api/images/{id}": lambda acme: [
        Ask({"id": acme.image}),
        Ask({"id": acme.image}, query={"force": "true"}),
        Ask({"id": acme.image}, query={"permanent": "true", "force": "true"}),
    ],
    "POST /api/images/{id}/restore": lambda acme: [Ask({"id": acme.image})],
    "POST /api/images/import": lambda acme: [Ask(json={"url": f"{acme.source_prefix}/a.jpg"}, answers=(422,))],
    "GET /api/keys": lambda _: [Ask(answers=_FOUND_NOTHING)],
    "POST /api/keys": lambda _: [Ask(json={}, answers=(201,))],
    "GET /api/keys/{id}": lambda acme: [Ask({"id": acme.key})],
    "DELETE /api/keys/{id}": lambda acme: [Ask({"id": acme.key})],
    "GET /api/presets": lambda _: [Ask(answers=_FOUND_NOTHING)],
    "POST /api/presets": lambda acme: [Ask(json={"name": acme.preset, "recipe": "w1-webp"}, answers=(201,))],
    "GET /api/presets/{name}": lambda acme: [Ask({"name": acme.preset}, answers=(200, 404))],
    "PUT /api/presets/{name}": lambda acme: [
        Ask({"name": acme.preset}, json={"recipe": "w2-webp"}, answers=(200, 201))
    ],
    "DELETE /api/presets/{name}": lambda acme: [Ask({"name": acme.preset}, answers=(204, 404))],
    "GET /api/presets/{name}/versions": lambda acme: [Ask({"name": acme.preset}, answers=(200, 404))],
    "GET /api/settings": lambda _: [Ask(answers=_FOUND_NOTHING)],
    "PUT /api/settings": lambda _: [Ask(json={}, answers=(200,))],
    "GET /api/sources": lambda _: [Ask(answers=_FOUND_NOTHING)],
    "POST /api/sources": lambda acme: [Ask(json={"prefix": acme.source_prefix}, answers=(201,))],
    "GET /api/sources/{id}": lambda acme: [Ask({"id": acme.source}, answers=(200, 404))],
    "PUT /api/sources/{id}": lambda acme: [Ask({"id": acme.source}, json={}, answers=(200, 404))],
    "DELETE /api/sources/{id}": lambda acme: [Ask({"id": acme.source}, answers=(204, 404))],
    "POST /api/uploads": lambda acme: [
        Ask(json={"file_name": "a.jpg", "size_bytes": 9, "collection": acme.collection}, answers=(422,)),
        # 201 and not 200: nobody learns that another tenant has the same bytes
        Ask(json={"file_name": "a.jpg", "size_bytes": len(_SECOND), "sha256": _SECOND_NAME}, answers=(201,)),
    ],
    "PUT /api/uploads/{id}/content": lambda acme: [Ask({"id": acme.upload}, query={"seal": "x"}, answers=(403,))],
    "POST /api/uploads/{id}/complete": lambda acme: [Ask({"id": acme.upload})],
    "DELETE /api/uploads/{id}": lambda acme: [Ask({"id": acme.upload})],
    "POST /api/tus": lambda _: [Ask(headers=_TUS | {"upload-length": "9"}, answers=(201,))],
    "HEAD /api/tus/{id}": lambda acme: [Ask({"id": acme.tus}, headers=_TUS)],
    "PATCH /api/tus/{id}": lambda acme: [
        Ask(
            {"id": acme.tus},
            headers=_TUS | {"upload-offset": "0", "content-type": "application/offset+octet-stream"},
        )
    ],
    "DELETE /api/tus/{id}": lambda acme: [Ask({"id": acme.tus}, headers=_TUS)],
    "OPTIONS /api/tus": lambda _: [Ask(answers=(204,))],
    "GET /api/images/{id}/thumbnails": lambda acme: [Ask({"id": acme.image})],
    "GET /api/images/serve/{id}": lambda acme: [
        Ask({"id": acme.image}),
        Ask({"id": acme.image}, query={"inline": "true"}),
    ],
    "GET /api/images/{id}/links": lambda acme: [Ask({"id": acme.image}, query={"recipe": "w40-webp"})],
    "POST /api/sign": lambda acme: [Ask(json={"paths": [_ACMES.format(original=acme.original)]}, answers=(403, 422))],
    "PUT /api/images/{id}/replace": lambda acme: [
        Ask({"id": acme.image}, files=[("file", ("a.jpg", picture(level=6)))])
    ],
    "GET /api/images/{id}/versions": lambda acme: [Ask({"id": acme.image})],
    "POST /api/images/{id}/versions/{n}/restore": lambda acme: [Ask({"id": acme.image, "n": "1"})],
    "GET /api/watermarks": lambda _: [Ask(answers=_FOUND_NOTHING)],
    "POST /api/watermarks": lambda acme: [
        Ask(json={"name": acme.watermark, "image": acme.image}, answers=(422,)),
        Ask(json={"name": "taken", "original": acme.original}, answers=(201, 422)),
    ],
    "GET /api/watermarks/{name}": lambda acme: [Ask({"name": acme.watermark})],
    "PUT /api/watermarks/{name}": lambda acme: [
        Ask({"name": acme.watermark}, json={"image": acme.image}, answers=(404, 422))
    ],
    "DELETE /api/watermarks/{name}": lambda acme: [Ask({"name": acme.watermark})],
}
