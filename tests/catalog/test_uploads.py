"""Uploads: real files, a real worker, on both databases."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import pyvips
from sqlmodel import select

from catalog.core.api_errors import UploadRefused, UploadTooLarge
from catalog.core.errors import TenantNotFound
from catalog.core.tenant_rules import TenantRules, write_rules
from catalog.core.upload_rules import TenantUploadRules, UploadRules
from catalog.records.base import FILE_NAME_LENGTH
from catalog.records.database import Database
from catalog.records.image import Image
from catalog.records.render_records import SqlRenderRecords
from catalog.records.tables import Original, TenantSettings
from catalog.uploads.commands import open_upload_service
from catalog.uploads.intake import Intake
from catalog.uploads.recording import display_name
from catalog.uploads.service import CHUNK_BYTES, Uploaded, UploadService, read_file
from proxy.backends import open_backends
from proxy.core.errors import CorruptImage, DarkroomError, LimitExceeded, NotFound
from proxy.core.identifiers import DerivativeKey, Digest, TenantName
from proxy.core.media.facts import Facts
from proxy.core.media.formats import ALWAYS_READ, JPEG
from proxy.core.planning.limits import Limits
from proxy.ports import RenderRecord
from proxy.settings import Settings
from proxy.workers.pool import Pool, open_pool
from tests.catalog.samples import ACME, principal_of
from tests.catalog.services import create_tenant


def picture(orientation: int = 1, width: int = 40, height: int = 30) -> bytes:
    """Return a JPEG of these stored sides."""
    image = pyvips.Image.black(width, height, bands=3).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return bytes(image.jpegsave_buffer())


def animation(frames: int) -> bytes:
    """Return a GIF of 10×10 with this number of frames."""
    pages = [pyvips.Image.black(10, 10, bands=3) + 20 * number for number in range(frames)]
    image = pyvips.Image.arrayjoin(pages, across=1).cast("uchar").copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", 10)
    return bytes(image.gifsave_buffer())


async def chunks(body: bytes, size_bytes: int = 7) -> AsyncIterator[bytes]:
    """Yield a body as a client sends it: in chunks."""
    for start in range(0, len(body), size_bytes):
        yield body[start : start + size_bytes]


@pytest.fixture(scope="module")
async def pixels() -> AsyncIterator[Pool]:
    """One worker for all of these tests."""
    async with open_pool(Settings(workers=1)) as pool:
        yield pool


@pytest.fixture
async def uploads(settings: Settings, database: Database, pixels: Pool) -> AsyncIterator[UploadService]:
    """Return the upload service of an installation with one tenant, originals on disk."""
    await create_tenant(database, ACME)
    async with open_backends(settings) as backends:
        limits = Limits(source_bytes=2 * CHUNK_BYTES)
        yield UploadService(Intake(database, backends.originals, pixels, limits, ALWAYS_READ, None))


async def _upload(
    uploads: UploadService, source: AsyncIterator[bytes], name: str | None = None, tenant: TenantName = ACME
) -> Uploaded:
    return Uploaded.of((await uploads.upload(principal_of(tenant=tenant), source, name)).image)


async def _records(uploads: UploadService) -> list[Original]:
    async with uploads.database.reading() as session:
        return list(await session.scalars(select(Original)))


async def test_an_original_is_kept_and_recorded(uploads: UploadService) -> None:
    body = picture()
    digest = Digest(sha256(body).hexdigest())
    uploaded = await _upload(uploads, chunks(body), "photo.jpg")
    assert (uploaded.original, uploaded.size_bytes, uploaded.media_type) == (digest, len(body), "image/jpeg")
    with await uploads.intake.originals.open(ACME, digest) as original:
        assert os.pread(original.fd, len(body) + 1, 0) == body
    [record] = await _records(uploads)
    assert (record.sha256, record.size_bytes, record.file_name) == (digest, len(body), "photo.jpg")
    assert (record.width, record.height, record.orientation) == (40, 30, 1)


async def test_an_upload_of_the_command_is_an_image(uploads: UploadService) -> None:
    recorded = await uploads.upload(principal_of(subject="cli:root"), chunks(picture()), "a/photo.jpg")
    assert recorded.created
    async with uploads.database.reading() as session:
        [image] = await session.scalars(select(Image))
    assert (image.id, image.status, image.created_by) == (recorded.image.id, "ready", "cli:root")
    assert image.file_name == "photo.jpg"
    assert not (await uploads.upload(principal_of(), chunks(picture()), "again.jpg")).created


async def test_sides_are_told_upright_and_recorded_as_stored(uploads: UploadService) -> None:
    uploaded = await _upload(uploads, chunks(picture(orientation=6)))
    assert (uploaded.width, uploaded.height) == (30, 40)
    [record] = await _records(uploads)
    assert (record.width, record.height, record.orientation) == (40, 30, 6)


async def test_the_same_bytes_twice_are_one_original_and_the_first_name_stays(uploads: UploadService) -> None:
    first = await _upload(uploads, chunks(picture()), "first.jpg")
    assert await _upload(uploads, chunks(picture(), 100), "second.jpg") == first
    assert [record.file_name for record in await _records(uploads)] == ["first.jpg"]


async def test_the_same_bytes_at_once_are_one_original(uploads: UploadService) -> None:
    results = await asyncio.gather(*(_upload(uploads, chunks(picture(), 50)) for _ in range(6)))
    assert len(set(results)) == 1
    assert len(await _records(uploads)) == 1


async def test_an_upload_completes_the_record_that_a_render_has_left(uploads: UploadService) -> None:
    body = picture()
    digest = Digest(sha256(body).hexdigest())
    key = DerivativeKey(f"5-8.18.7/acme/0/{digest[:2]}/{digest}/{'0' * 64}")
    facts = Facts(JPEG, 40, 30)
    await SqlRenderRecords(uploads.database).record(
        [RenderRecord(ACME, digest, key, "webp", facts, "webp", 40, 30, 9, 0.1)]
    )
    assert [record.size_bytes for record in await _records(uploads)] == [None]
    await _upload(uploads, chunks(body), "photo.jpg")
    assert [(record.size_bytes, record.file_name) for record in await _records(uploads)] == [(len(body), "photo.jpg")]


async def test_tenants_have_their_own_originals(uploads: UploadService) -> None:
    other = TenantName("other")
    await create_tenant(uploads.database, other)
    uploaded = await _upload(uploads, chunks(picture()))
    with pytest.raises(NotFound):
        await uploads.intake.originals.open(other, uploaded.original)
    await _upload(uploads, chunks(picture()), tenant=other)
    assert {record.tenant for record in await _records(uploads)} == {"acme", "other"}


async def _refused(uploads: UploadService, body: bytes, kind: type[DarkroomError], tenant: TenantName = ACME) -> str:
    """Check that a body is refused, and that neither its bytes nor a record remain."""
    with pytest.raises(kind) as refusal:
        await _upload(uploads, chunks(body, CHUNK_BYTES), tenant=tenant)
    assert await _records(uploads) == []
    with pytest.raises(NotFound):
        await uploads.intake.originals.open(ACME, Digest(sha256(body).hexdigest()))
    return str(refusal.value)


@pytest.mark.parametrize("body", [b"", b"hello, world", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7"])
async def test_what_is_no_picture_is_refused(uploads: UploadService, body: bytes) -> None:
    reason = "empty" if not body else "jpeg"
    assert reason in await _refused(uploads, body, UploadRefused)


async def test_what_only_begins_like_a_picture_is_refused(uploads: UploadService) -> None:
    await _refused(uploads, b"\xff\xd8\xff\xe0" + b"nonsense" * 100, CorruptImage)


async def test_too_many_bytes_are_refused_before_they_are_all_read(uploads: UploadService) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield bytes(CHUNK_BYTES)

    async with asyncio.timeout(30):
        with pytest.raises(LimitExceeded, match=str(2 * CHUNK_BYTES)):
            await _upload(uploads, endless())
    assert read == 3


async def test_exactly_the_limit_is_taken_and_what_follows_the_end_is_cut(uploads: UploadService) -> None:
    body = picture()
    uploaded = await _upload(uploads, chunks(body + bytes(2 * CHUNK_BYTES - len(body)), CHUNK_BYTES))
    assert (uploaded.original, uploaded.size_bytes) == (sha256(body).hexdigest(), len(body))


async def test_the_tenant_s_own_byte_limit_is_named_as_such(uploads: UploadService) -> None:
    rules = TenantRules(uploads=TenantUploadRules(UploadRules(max_bytes=100)))
    async with uploads.database.writing() as session:
        session.add(TenantSettings(tenant=ACME, document=write_rules(rules)))
    assert "100" in await _refused(uploads, picture(), UploadTooLarge)


async def test_pixels_and_frames_over_the_limit_are_refused_by_number(uploads: UploadService) -> None:
    narrow = UploadService(replace(uploads.intake, limits=Limits(source_pixels=1_000, source_frames=2)))
    assert "1200" in await _refused(narrow, picture(), LimitExceeded)
    assert "3" in await _refused(narrow, animation(3), LimitExceeded)


async def test_a_tenant_that_is_missing_is_told_before_anything_is_read(uploads: UploadService) -> None:
    read = []

    async def watched() -> AsyncIterator[bytes]:
        read.append("something")
        yield picture()

    with pytest.raises(TenantNotFound):
        await _upload(uploads, watched(), tenant=TenantName("nobody"))
    assert read == []


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_client_that_leaves_leaves_nothing(uploads: UploadService) -> None:
    """No record, no original, no descriptor."""
    before = _descriptors()

    async def halting() -> AsyncIterator[bytes]:
        yield picture()[:100]
        await asyncio.sleep(60)

    for _ in range(5):
        task = asyncio.create_task(_upload(uploads, halting()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await _records(uploads) == []
    assert _descriptors() <= before + 1  # a connection may have been opened


async def test_the_command_starts_one_worker_and_no_spare(tmp_path: Path) -> None:
    async with open_upload_service(Settings(home=tmp_path, workers=4)) as uploads:
        assert isinstance(uploads.intake.pixels, Pool)
        assert uploads.intake.pixels.workers == 1
        await create_tenant(uploads.database, ACME)
        assert (await _upload(uploads, chunks(picture()))).width == 40


async def test_a_file_is_read_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(CHUNK_BYTES + 1))
    assert [len(chunk) async for chunk in read_file(path)] == [CHUNK_BYTES, 1]


@pytest.mark.parametrize(
    ("name", "displayed"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("a\0b\nc\x1b[31m.jpg", "a�b�c�[31m.jpg"),
        ("Zürich 日本.jpg", "Zürich 日本.jpg"),
        ("half\udc80.jpg", "half�.jpg"),
        ("x" * 300, "x" * FILE_NAME_LENGTH),
        ("", ""),
    ],
)
def test_file_names_are_for_people_to_read(name: str, displayed: str) -> None:
    assert display_name(name) == displayed
