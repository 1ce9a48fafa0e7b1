"""What the port `ResolvedReferences` promises, of every adapter."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.adapters.files import FileResolvedReferences
from proxy.adapters.s3 import S3ResolvedReferences
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source_reference import parse_reference
from proxy.ports import ResolvedReferences
from tests.adapters.samples import ACME, LARGE, OTHER, SMALL, named
from tests.servers.fixtures import S3

if TYPE_CHECKING:
    from types_aiobotocore_s3.client import S3Client

REFERENCE = parse_reference("https://host/a?b=c")
MEANING = ResolvedReference(named(SMALL), Validators('"1"', "Sat, 21 Nov 2026 06:00:00 GMT"), 1_795_240_000.25)


@pytest.fixture
def file_meanings(tmp_path: Path) -> Iterator[FileResolvedReferences]:
    resolved_references = FileResolvedReferences(tmp_path)
    yield resolved_references
    resolved_references.close()


@pytest.fixture
def s3_meanings(s3_client: "S3Client", s3: S3) -> S3ResolvedReferences:
    return S3ResolvedReferences(s3_client, s3.bucket, "darkroom")


@pytest.fixture(params=["file_meanings", "s3_meanings"])
def resolved_references(request: pytest.FixtureRequest) -> ResolvedReferences:
    adapter: ResolvedReferences = request.getfixturevalue(request.param)
    return adapter


async def test_what_is_kept_is_recalled_by_its_tenant_and_reference_alone(
    resolved_references: ResolvedReferences,
) -> None:
    assert await resolved_references.get(ACME, REFERENCE) is None
    await resolved_references.put(ACME, REFERENCE, MEANING)
    assert await resolved_references.get(ACME, REFERENCE) == MEANING
    assert await resolved_references.get(OTHER, REFERENCE) is None
    assert await resolved_references.get(ACME, parse_reference("https://host/a?b=d")) is None


async def test_the_last_word_counts(resolved_references: ResolvedReferences) -> None:
    await resolved_references.put(ACME, REFERENCE, MEANING)
    later = replace(MEANING, digest=named(LARGE), asked_at=0.0)
    await resolved_references.put(ACME, REFERENCE, later)
    assert await resolved_references.get(ACME, REFERENCE) == later


async def test_a_damaged_file_is_none_and_can_be_replaced(
    file_meanings: FileResolvedReferences, tmp_path: Path
) -> None:
    await file_meanings.put(ACME, REFERENCE, MEANING)
    (path,) = (tmp_path / "references" / "acme").iterdir()
    path.write_bytes(MEANING.pack()[:-5])
    assert await file_meanings.get(ACME, REFERENCE) is None
    await file_meanings.put(ACME, REFERENCE, MEANING)
    assert await file_meanings.get(ACME, REFERENCE) == MEANING


async def test_a_damaged_object_is_none(s3_meanings: S3ResolvedReferences, s3_client: "S3Client", s3: S3) -> None:
    key = f"darkroom/references/acme/{REFERENCE.fingerprint}"
    for damaged in (b"", b"{}", b"x" * 10_000):
        await s3_client.put_object(Bucket=s3.bucket, Key=key, Body=damaged)
        assert await s3_meanings.get(ACME, REFERENCE) is None
