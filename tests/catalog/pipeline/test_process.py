"""The job after an upload: what it makes, what fails alone, and what it leaves as it is."""

import pytest
import pyvips
from sqlalchemy import delete
from sqlmodel import col

from catalog.core.roles import Role
from catalog.core.tenant_rules import TenantRules
from catalog.pipeline.service import MAX_ATTEMPTS
from catalog.ports import Platform
from catalog.records.database import Database
from catalog.records.image import Image
from proxy.core.errors import LimitExceeded, ServerBusy
from proxy.core.url.link import parse_target
from tests.catalog.api.fixtures import ClientOf
from tests.catalog.api.test_uploads import set_rules, upload
from tests.catalog.pipeline.pictures import animation, drawing, photograph, smallest
from tests.catalog.pipeline.work import FailingRenderer, events_of, image_of, run_jobs

BUSY = ServerBusy("Every worker is busy.")
TOO_LARGE = LimitExceeded("The picture would be too large.")


async def test_an_upload_is_ready_at_once_and_optimised_later(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), photograph()
    created = await upload(client, body)
    image = created.json()
    assert (image["status"], image["optimized"]) == ("ready", None)
    [job] = await run_jobs(platform)
    assert (job.kind, job.state, job.priority, job.image) == ("image.process", "succeeded", 1, image["id"])
    assert job.created_by == image["created_by"]
    answer = await client.get(created.headers["location"], headers={"if-none-match": created.headers["etag"]})
    later = answer.json()
    assert (answer.status_code, later["version"]) == (200, 2)
    best = later["optimized"]
    assert best["size_bytes"] < len(body)
    assert best["ratio"] == round(best["size_bytes"] / len(body), 3)
    assert "failed_parts" not in later
    path, _, seal = best["url"].removeprefix("https://img.example.com").partition("?")
    rendered = await platform.renderer.render(parse_target(path.encode(), seal.encode()))
    assert (len(rendered.body), rendered.format.media_type) == (best["size_bytes"], best["media_type"])
    assert (rendered.width, rendered.height) == (image["width"], image["height"])


async def test_its_event_tells_what_came_out(client_of: ClientOf, platform: Platform) -> None:
    image = (await upload(await client_of(Role.CONTRIBUTOR), photograph())).json()
    [job] = await run_jobs(platform)
    [event] = await events_of(platform.database)
    assert (event.actor, event.subject_id, event.origin["request"]) == ("system", image["id"], job.id)
    row = await image_of(platform.database, image["id"])
    assert event.before == {"optimized": None, "failed_parts": [], "reason": None}
    assert event.after == {"optimized": row.optimized, "failed_parts": [], "reason": None}


async def test_drawings_stay_lossless_and_animations_stay_animated(client_of: ClientOf, platform: Platform) -> None:
    client = await client_of(Role.CONTRIBUTOR)
    drawn = (await upload(client, drawing(), "x.png", "image/png")).json()
    moving = (await upload(client, animation(), "x.gif", "image/gif")).json()
    await run_jobs(platform)
    row = await image_of(platform.database, drawn["id"])
    assert row.optimized is not None
    assert row.optimized["recipe"] == "lossless-webp"
    row = await image_of(platform.database, moving["id"])
    assert row.optimized is not None
    assert row.optimized["recipe"] == "qgood-webp"
    rendered = await platform.renderer.render(parse_target(f"/t/acme/{row.original}/qgood-webp".encode(), b""))
    assert pyvips.Image.new_from_buffer(rendered.body, "").get("n-pages") == 3


async def test_what_is_smallest_already_is_its_own_optimised_version(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), smallest()
    place = (await upload(client, body, "x.webp", "image/webp")).headers["location"]
    await run_jobs(platform)
    expected = {"media_type": "image/webp", "size_bytes": len(body), "ratio": 1.0, "url": None}
    assert (await client.get(place)).json()["optimized"] == expected


async def test_a_tenant_may_want_none(client_of: ClientOf, platform: Platform) -> None:
    await set_rules(platform.database, TenantRules(optimize=False))
    image = (await upload(await client_of(Role.CONTRIBUTOR), photograph())).json()
    renderer = FailingRenderer(platform.renderer, lambda _recipe, _times: None)
    [job] = await run_jobs(platform, renderer)
    row = await image_of(platform.database, image["id"])
    assert (job.state, renderer.asked, row.optimized, row.version) == ("succeeded", [], None, 1)
    assert await events_of(platform.database) == []


async def test_eager_presets_are_rendered_for_every_class_of_clients(client_of: ClientOf, platform: Platform) -> None:
    await set_rules(platform.database, TenantRules(optimize=False, eager_presets=("preview", "nowhere", "preview")))
    place = (await upload(client := await client_of(Role.CONTRIBUTOR), photograph())).headers["location"]
    renderer = FailingRenderer(platform.renderer, lambda _recipe, _times: None)
    [job] = await run_jobs(platform, renderer)
    assert renderer.asked == [("~preview", "image/avif,image/webp"), ("~preview", "image/webp"), ("~preview", "")]
    assert job.state == "succeeded"
    assert job.result is not None
    assert (job.result["presets"], job.done, job.total) == (1, 2, 2)
    image = (await client.get(place)).json()
    assert image["failed_parts"] == ["preset:nowhere"]
    assert image["reason"] == "preset:nowhere: The tenant has no preset of this name: change its eager presets."
    assert (image["status"], image["optimized"]) == ("ready", None)


async def test_a_part_that_fails_for_good_is_named_and_not_tried_again(client_of: ClientOf, platform: Platform) -> None:
    await set_rules(platform.database, TenantRules(eager_presets=("preview",)))
    client = await client_of(Role.CONTRIBUTOR)
    place = (await upload(client, photograph())).headers["location"]
    renderer = FailingRenderer(platform.renderer, lambda recipe, _: None if recipe == "~preview" else TOO_LARGE)
    [job] = await run_jobs(platform, renderer)
    assert (job.state, job.attempts) == ("succeeded", 1)
    image = (await client.get(place)).json()
    assert (image["failed_parts"], image["optimized"], image["status"]) == (["optimized"], None, "ready")
    assert image["reason"] == "optimized: The picture would be too large."
    [event] = await events_of(platform.database)
    assert event.after is not None
    assert event.after["reason"] == image["reason"]


async def test_a_candidate_over_a_limit_leaves_the_others(client_of: ClientOf, platform: Platform) -> None:
    image = (await upload(await client_of(Role.CONTRIBUTOR), photograph())).json()
    renderer = FailingRenderer(platform.renderer, lambda recipe, _: TOO_LARGE if recipe == "qgood-avif" else None)
    await run_jobs(platform, renderer)
    row = await image_of(platform.database, image["id"])
    assert row.optimized is not None
    assert (row.optimized["recipe"], row.failed_parts) == ("qgood-webp", [])


async def test_a_busy_server_is_tried_again_and_the_failure_is_forgotten(
    client_of: ClientOf, platform: Platform
) -> None:
    image = (await upload(await client_of(Role.CONTRIBUTOR), photograph())).json()
    renderer = FailingRenderer(
        platform.renderer, lambda recipe, times: BUSY if times <= 2 and "webp" in recipe else None
    )
    [job] = await run_jobs(platform, renderer)
    assert (job.state, job.attempts, job.error) == ("succeeded", 3, None)
    row = await image_of(platform.database, image["id"])
    assert (row.failed_parts, row.reason) == ([], None)
    assert row.optimized is not None
    failed, done = await events_of(platform.database)
    assert failed.after is not None
    assert failed.after["failed_parts"] == ["optimized"]
    assert done.after is not None
    assert done.after["failed_parts"] == []


async def test_a_server_that_stays_busy_ends_as_a_dead_letter(client_of: ClientOf, platform: Platform) -> None:
    image = (await upload(await client_of(Role.CONTRIBUTOR), photograph())).json()
    [job] = await run_jobs(platform, FailingRenderer(platform.renderer, lambda _recipe, _times: BUSY))
    assert (job.state, job.attempts) == ("failed", MAX_ATTEMPTS)
    assert job.error is not None
    assert (job.error["code"], "optimized: Every worker is busy" in job.error["detail"]) == ("busy", True)
    row = await image_of(platform.database, image["id"])
    assert (row.status, row.failed_parts, row.version) == ("ready", ["optimized"], 2)


@pytest.mark.parametrize("change", ["deleted", "replaced", "trashed"])
async def test_an_image_that_was_overtaken_is_left_alone(client_of: ClientOf, platform: Platform, change: str) -> None:
    """Once before the job begins, and once while it renders."""
    client, overtaken = await client_of(Role.CONTRIBUTOR), list[str]()
    for number in (1, 2):
        image = (await upload(client, photograph(seed=number))).json()
        overtaken.append(image["id"])
    await _overtake(platform.database, overtaken[0], change)

    class Overtaking(FailingRenderer):
        async def render_in_background(self, link, accept=""):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            await _overtake(platform.database, overtaken[1], change)
            return await super().render(link, accept)

    jobs = await run_jobs(platform, Overtaking(platform.renderer, lambda _recipe, _times: None))
    skipped = {"skipped": "The image was deleted, trashed or replaced."}
    assert [(job.state, job.result) for job in jobs] == [("succeeded", skipped)] * 2
    assert await events_of(platform.database) == []
    if change != "deleted":
        for identifier in overtaken:
            row = await image_of(platform.database, identifier)
            assert (row.optimized, row.version, row.failed_parts) == (None, 1, [])


async def _overtake(database: Database, identifier: str, change: str) -> None:
    async with database.writing() as session:
        if change == "deleted":
            await session.execute(delete(Image).where(col(Image.id) == identifier))
            return
        row = await session.get_one(Image, identifier)
        if change == "trashed":
            row.status = "trashed"
        else:
            row.number = 2


async def test_the_same_bytes_again_queue_nothing(client_of: ClientOf, platform: Platform) -> None:
    client, body = await client_of(Role.CONTRIBUTOR), photograph()
    for _ in range(2):
        await upload(client, body)
    assert len(await run_jobs(platform)) == 1
