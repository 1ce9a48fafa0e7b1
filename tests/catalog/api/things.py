"""One of each thing that the API's routes name, made anew as often as a test has used the last ones up."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx

from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.records.uuid7 import new_uuid
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME

Names: TypeAlias = Mapping[str, Sequence[Any]]
"""Values of parameters by name, and of members of the body by `/name`; `/` is a body of bytes.

A header field whose value is None is left out. Those at the same place belong to one thing.
"""

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
            "purge": self._purge,
            "sign": self._paths,
            "sources": self._sources,
            "tenants": self._tenants,
            "tokens": self._tokens,
            "tus": self._tus,
            "uploads": self._uploads,
            "watermarks": self._watermarks,
        }

    async def make(self, path: str) -> Names:
        """Return new things of the kind that a path is about. The tenant's settings are those of a new one again."""
        assert (await self._admin.put("/api/settings", json={})).status_code == 200
        kind = kind_of(path)
        names = await self._makers[kind]() if kind in self._makers else {}
        if path.endswith("/cancel"):
            names = {"id": [await self._job("queued")]}
        return {"if-match": ["*"], **names}

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
        entity = {"entity_type": "product", "entity_id": str(next(self._numbers))}
        used, trashed = (await self._image(**entity)).json(), (await self._image()).json()
        assert (await self._admin.delete(f"/api/images/{trashed['id']}")).status_code == 204
        source = (await self._sources())["/prefix"][1]
        return {
            "id": [used["id"], trashed["id"]],
            "sha256": [used["original"], trashed["original"]],
            "type": [entity["entity_type"]],
            "entity_id": [entity["entity_id"]],
            "n": ["1"],
            "/collection": (await self._collections())["id"],
            "/file": [self._picture(), self._picture()],
            "/files": [[self._picture(), self._picture()]],
            "/format": ["webp"],
            "/id": [used["id"]],
            "/ids": [[used["id"]]],
            "/recipe": ["w20"],
            "/url": [f"{source}/a.jpg"],
        }

    async def _collections(self) -> Names:
        """Return an empty collection, and one with an image."""
        empty, used = [
            (await self._post("/api/collections", {"name": f"Summer {next(self._numbers)}"})).json()["id"] for _ in "ab"
        ]
        await self._image(collection=used)
        return {"id": [empty, used]}

    async def _job(self, state: str) -> str:
        row = Job(id=new_uuid(), tenant=ACME, kind="images.import", priority=1, state=state, created_by="token:tests")
        name = row.id
        async with self._database.writing() as session:
            session.add(row)
        return name

    async def _jobs(self) -> Names:
        """Return finished jobs; one that is not would be followed without end."""
        return {"id": [await self._job("succeeded"), await self._job("failed")]}

    async def _keys(self) -> Names:
        return {"id": [str((await self._post("/api/keys", {})).json()["id"])]}

    async def _presets(self) -> Names:
        body = {"name": f"p{next(self._numbers)}", "recipe": "w40-h30-webp"}
        name = (await self._post("/api/presets", body)).json()["name"]
        return {"name": [name], "/recipe": ["w40-webp", "w41-h31"]}

    async def _purge(self) -> Names:
        return {"/image": [(await self._image()).json()["id"]], "/preset": (await self._presets())["name"]}

    async def _paths(self) -> Names:
        return {"/paths": [[f"/t/{ACME}/{(await self._image()).json()['original']}/w20-webp"]]}

    async def _sources(self) -> Names:
        """Return a source, and a prefix that is free."""
        free, prefix = [f"https://acme.example.com/{next(self._numbers)}" for _ in "ab"]
        source = (await self._post("/api/sources", {"prefix": prefix})).json()["id"]
        return {"id": [source], "/prefix": [free, prefix], "/credentials": [{}]}

    async def _tenants(self) -> Names:
        return {"name": [(await self._post("/api/tenants", {"name": f"t{next(self._numbers)}"})).json()["name"]]}

    async def _tokens(self) -> Names:
        return {"id": [(await self._post("/api/tokens", {"role": "viewer"})).json()["id"]]}

    async def _watermarks(self) -> Names:
        image = (await self._image()).json()
        body = {"name": f"w{next(self._numbers)}", "image": image["id"]}
        name = (await self._post("/api/watermarks", body)).json()["name"]
        return {"name": [name], "/image": [image["id"], None], "/original": [None, image["original"]]}

    async def _uploads(self) -> Names:
        """Return an upload whose bytes are there, and one that waits for its own."""
        names, seals, body = [], [], self._picture()
        for size in (len(body), 1):
            grant = (await self._post("/api/uploads", {"file_name": "a.png", "size_bytes": size})).json()
            names.append(grant["id"])
            seals.append(urlsplit(grant["url"]).query.partition("=")[2])
        place = f"/api/uploads/{names[0]}/content"
        assert (await self._admin.put(place, params={"seal": seals[0]}, content=body)).status_code == 204
        return {"id": names, "seal": seals, "/": [body, b"1"]}

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
        return {
            "id": names,
            "upload-offset": ["0", str(len(body)), "0"],
            "upload-length": ["1", None, "2"],
            "upload-defer-length": [None, "1", None],
            "upload-metadata": [None],
            "upload-checksum": [None],
            "/": [b"1", b"", b"12"],
        }


def kind_of(path: str) -> str:
    """Return the kind of things that a path is about: its second word."""
    return f"{path}/".split("/")[2]
