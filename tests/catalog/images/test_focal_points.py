"""An image has one focal point, whether the API or the command set it."""

from fractions import Fraction
from hashlib import sha256

import pytest
from sqlmodel import select

from catalog.core.api_errors import ResourceConflict
from catalog.core.focus_geometry import FocalPoint
from catalog.core.roles import Role
from catalog.images.focal_points import find_focal_point, set_focus
from catalog.records.audit_event import AuditEvent
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.original import Original
from proxy.core.errors import NotFound
from proxy.core.geometry import Size
from proxy.core.identifiers import Digest
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.values import Focus
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_uploads import upload
from tests.catalog.images.pictures import picture
from tests.catalog.samples import ACME, ZOO, add_images, add_tenants, principal_of

BODY = picture(orientation=6)
DIGEST = Digest(sha256(BODY).hexdigest())
COVER = parse("w5-h5")


def row() -> Original:
    return Original(
        tenant=ACME,
        sha256=DIGEST,
        media_type="image/jpeg",
        width=40,
        height=30,
        orientation=6,
        frames=1,
        alpha=False,
        icc=False,
    )


async def test_the_command_and_the_api_set_the_same_point(client_of: ClientOf, database: Database) -> None:
    client = await client_of(Role.EDITOR)
    place = (await upload(client, BODY)).headers["location"]
    assert await find_focal_point(database, ACME, DIGEST) is None
    await set_focus(database, principal_of(), DIGEST, "0.3_0.6")
    image = (await client.get(place)).json()
    assert (image["focus"], image["version"]) == ({"x": 0.3, "y": 0.6}, 2)
    assert "~preview-fp0.3_0.6?" in image["url"]
    await client.patch(f"{place}/metadata", json={"focus": {"x": 0.1, "y": 0.7}})
    point = await find_focal_point(database, ACME, DIGEST)
    assert point is not None
    assert (point.size, point.after(COVER)) == (Size(30, 40), Focus(Fraction(1, 10), Fraction(7, 10)))
    await set_focus(database, principal_of(), DIGEST, "0.5_0.5")
    assert await find_focal_point(database, ACME, DIGEST) is None
    assert (await client.get(place)).json()["focus"] == {"x": 0.5, "y": 0.5}
    async with database.reading() as session:
        actions = (await session.scalars(select(AuditEvent.action).where(AuditEvent.subject_type == "image"))).all()
    assert sorted(actions) == ["image.created", "image.updated", "image.updated", "image.updated"]


@pytest.mark.parametrize(("sent", "expected"), [("0.5,0.5", (0.3, 0.6)), ("0.9,0.9", (0.9, 0.9))])
async def test_the_point_of_an_original_becomes_that_of_its_image(
    client_of: ClientOf, database: Database, sent: str, expected: tuple[float, float]
) -> None:
    client = await client_of(Role.EDITOR)
    async with database.writing() as session:
        session.add(row())
    await set_focus(database, principal_of(), DIGEST, "0.3_0.6")
    point = FocalPoint(Focus(Fraction("0.3"), Fraction("0.6")), Size(30, 40))
    assert await find_focal_point(database, ACME, DIGEST) == point
    assert await find_focal_point(database, ZOO, DIGEST) is None
    focus = (await upload(client, BODY, focus=sent)).json()["focus"]
    assert (focus["x"], focus["y"]) == expected


async def test_images_in_the_trash_and_unknown_originals_get_no_point(database: Database) -> None:
    await add_tenants(database)
    [identifier] = await add_images(database, 1)
    async with database.writing() as session:
        image = await session.get_one(Image, identifier)
        image.original, image.status = DIGEST, "trashed"
        session.add(row())
    with pytest.raises(ResourceConflict):
        await set_focus(database, principal_of(), DIGEST, "0.3_0.6")
    with pytest.raises(NotFound):
        await set_focus(database, principal_of(tenant=ZOO), DIGEST, "0.3_0.6")
