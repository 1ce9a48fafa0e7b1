"""`darkroom images` as a process, on both databases."""

import asyncio
import json

import pytest

from catalog.records.database import Database
from catalog.records.image import Image
from proxy.settings import Settings
from tests.catalog.jobs.test_commands import Shell
from tests.catalog.samples import ACME, ZOO, add_images, add_tenants
from tests.catalog.trash.work import is_refused, jobs_of

UNKNOWN = "019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"


@pytest.fixture
async def shell(settings: Settings, database: Database) -> Shell:
    """Give the command on a database with two tenants."""
    await add_tenants(database)
    return Shell(settings)


async def test_images_are_listed_shown_tagged_trashed_restored_and_deleted(shell: Shell, database: Database) -> None:
    one, other = await add_images(database, 2)
    await add_images(database, 1, ZOO)

    async def run(command: str, *words: str) -> list[dict[str, object]]:
        done = await asyncio.to_thread(shell.run, "images", command, "--tenant", ACME, "--json", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    assert [image["id"] for image in await run("list")] == [other, one]
    assert await run("tag", one, "--add", "oak", "--add", " blue ", "--remove", "x") == [
        {"id": one, "tags": ["blue", "oak"]}
    ]
    assert await run("tag", one, "--remove", "blue") == [{"id": one, "tags": ["oak"]}]
    [shown] = await run("show", one)
    assert (shown["tags"], shown["status"]) == (["oak"], "ready")
    assert await run("trash", one) == [{"id": one, "status": "trashed"}]
    original = await _original(database, one)
    assert await is_refused(database, original)
    assert [image["id"] for image in await run("list", "--search", "status:trashed")] == [one]
    assert [image["id"] for image in await run("list", "--limit", "1")] == [other]
    assert await run("restore", one) == [{"id": one, "status": "ready"}]
    assert not await is_refused(database, original)
    [deleted] = await run("delete", one)
    [job] = await jobs_of(database, "images.delete")
    assert deleted == {"id": one, "job": job.id}
    assert job.created_by.startswith("cli:")


async def test_people_read_sentences_and_mistakes_are_told(shell: Shell, database: Database) -> None:
    [image] = await add_images(database, 1)

    async def run(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(shell.run, "images", *words)
        return done.returncode, done.stdout + done.stderr

    code, text = await run("list", "--tenant", ACME)
    assert (code, image in text, "400x300" in text) == (0, True, True)
    assert await run("trash", "--tenant", ACME, image) == (0, f"Image {image} is in the trash.\n")
    for words, expected in (
        (("show", "--tenant", ACME, UNKNOWN), "There is no such image."),
        (("trash", "--tenant", ZOO, image), "There is no such image."),
        (("tag", "--tenant", ACME, image, "--add", "x" * 65), "at most 64 characters"),
        (("tag", "--tenant", ACME, image, "--add", "x"), "restore it first"),
    ):
        code, text = await run(*words)
        assert code == 1, text
        assert expected in text


async def _original(database: Database, identifier: str) -> str:
    async with database.reading() as session:
        return (await session.get_one(Image, identifier)).original
