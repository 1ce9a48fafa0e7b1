"""One of each thing that the API's routes name, made anew as often as a test has used the last ones up."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import httpx

from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.records.uuid7 import new_uuid
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME

Names: TypeAlias = Mapping[str, Sequence[str]]
"""Values of the parameters of a path, by name; those at the same place belong to one thing."""

_TUS: Final = {"tus-resumable": "1.0.0"}
_BYTES: Final = {"content-type": "application/offset+octet-stream"}


class Things:
    """Makes what routes name, as an admin of a tenant; tenants as an operator."""

    def __init__(self, admin: httpx.AsyncClient, operator: httpx.AsyncClient, database: Database) -> None:
        self._admin = admin
        self._operator = operator
        self._database = database
        self._numbers = count(1)
        self._makers: dict[str, Callable[[], Awaitable[Names]]] = {
            "collections": self._collections,
            "images": self._images,
            "jobs": self._jobs,
            "keys": self._keys,
            "presets": self._presets,
            "sources": self._sources,
            "tenants": self._tenants,
            "tokens": self._tokens,
            "tus": self._tus,
            "uploads": self._uploads,
            "watermarks": self._watermarks,
        }

    async def make(self, kind: str) -> Names:
        """Return new things of a kind, the second word of a path; none if its routes name none.

        The tenant's settings are those of a new one again.
        """
        assert (await self._admin.put("/api/settings", json={})).status_code == 200
        maker = self._makers.get(kind)
        return {} if maker is None else await maker()

    async def _post(self, path: str, body: object) -> httpx.Response:
        client = self._operator if path == "/api/tenants" else self._admin
        answer = await client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer

    def _picture(self) -> bytes:
        number = next(self._numbers)
        return picture(number % 256, 40 + number // 256, suffix=".png")

    async def _image(self, **fields: str) -> httpx.Response:
        answer = await self._admin.post("/api/images/upload", files={"file": ("a.png", self._picture())}, data=fields)
        assert answer.status_code == 201, answer.text
        async with self._database.writing() as session:
            (await session.get_one(Image, answer.json()["id"])).status = "ready"
        return answer

    async def _images(self) -> Names:
        """Return an image of an entity, and one in the trash."""
        entity = {"entity_type": "product", "entity_id": "42"}
        used, trashed = (await self._image(**entity)).json(), (await self._image()).json()
        assert (await self._admin.delete(f"/api/images/{trashed['id']}")).status_code == 204
        return {
            "id": [used["id"], trashed["id"]],
            "sha256": [used["original"], trashed["original"]],
            "type": [entity["entity_type"]],
            "entity_id": [entity["entity_id"]],
            "n": ["1"],
        }

    async def _collections(self) -> Names:
        """Return an empty collection, and one with an image."""
        empty, used = [
            (await self._post("/api/collections", {"name": f"Summer {next(self._numbers)}"})).json()["id"] for _ in "ab"
        ]
        await self._image(collection=used)
        return {"id": [empty, used]}

    async def _jobs(self) -> Names:
        """Return finished jobs; one that is not would be followed without end."""
        rows = [
            Job(id=new_uuid(), tenant=ACME, kind="images.import", priority=1, state=state, created_by="token:tests")
            for state in ("succeeded", "failed")
        ]
        names = [row.id for row in rows]
        async with self._database.writing() as session:
            session.add_all(rows)
        return {"id": names}

    async def _keys(self) -> Names:
        return {"id": [str((await self._post("/api/keys", {})).json()["id"])]}

    async def _presets(self) -> Names:
        body = {"name": f"p{next(self._numbers)}", "recipe": "w40-h30-webp"}
        return {"name": [(await self._post("/api/presets", body)).json()["name"]]}

    async def _sources(self) -> Names:
        body = {"prefix": f"https://acme.example.com/{next(self._numbers)}"}
        return {"id": [(await self._post("/api/sources", body)).json()["id"]]}

    async def _tenants(self) -> Names:
        return {"name": [(await self._post("/api/tenants", {"name": f"t{next(self._numbers)}"})).json()["name"]]}

    async def _tokens(self) -> Names:
        return {"id": [(await self._post("/api/tokens", {"role": "viewer"})).json()["id"]]}

    async def _watermarks(self) -> Names:
        body = {"name": f"w{next(self._numbers)}", "image": (await self._image()).json()["id"]}
        return {"name": [(await self._post("/api/watermarks", body)).json()["name"]]}

    async def _uploads(self) -> Names:
        """Return an upload whose bytes are there, and one that waits for its own."""
        names, seals, body = [], [], self._picture()
        for size in (len(body), 1):
            grant = (await self._post("/api/uploads", {"file_name": "a.png", "size_bytes": size})).json()
            names.append(grant["id"])
            seals.append(urlsplit(grant["url"]).query.partition("=")[2])
        place = f"/api/uploads/{names[0]}/content"
        assert (await self._admin.put(place, params={"seal": seals[0]}, content=body)).status_code == 204
        return {"id": names, "seal": seals}

    async def _tus(self) -> Names:
        """Return a resumable upload without bytes, one that is an image, and one whose size is not known."""
        body = self._picture()
        requests: list[tuple[bytes, dict[str, str]]] = [
            (b"", {"upload-length": "1"}),
            (body, {"upload-length": str(len(body)), "upload-metadata": "filename YS5wbmc="} | _BYTES),
            (b"", {"upload-defer-length": "1"}),
        ]
        names = []
        for content, fields in requests:
            answer = await self._admin.post("/api/tus", content=content, headers=_TUS | fields)
            assert answer.status_code == 201, answer.text
            names.append(answer.headers["location"].rpartition("/")[2])
        return {"id": names}
