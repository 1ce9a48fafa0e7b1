"""Files: kills, full disks and rotten ones."""

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.adapters.atomic_folder import AtomicFolder
from proxy.adapters.files import FileDerivatives, FileOriginals
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound, ServerBusy, Unavailable
from proxy.ports import OpenOriginal
from tests.adapters.samples import (
    ACME,
    LARGE,
    LARGE_PICTURE,
    LIMIT_BYTES,
    OTHER_PICTURE,
    PICTURE,
    SMALL,
    content_of,
    key,
    named,
    opened,
)

ROOT = Path(__file__).parents[2]
DISK_BYTES = 2**20


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def put(originals: FileOriginals, content: bytes) -> bool:
    with opened(content) as source:
        return await originals.put(ACME, named(content), source)


async def test_an_original_lies_where_the_layout_says(file_originals: FileOriginals, tmp_path: Path) -> None:
    await put(file_originals, SMALL)
    name = named(SMALL)
    assert files_in(tmp_path) == [tmp_path / "originals" / "acme" / name[:2] / name]


async def test_a_derivative_lies_where_the_layout_says(file_derivatives: FileDerivatives, tmp_path: Path) -> None:
    await file_derivatives.put(key("one"), PICTURE)
    assert files_in(tmp_path) == [tmp_path / "derivatives" / key("one")]


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from proxy.adapters.files import FileDerivatives, FileOriginals
from tests.adapters.samples import *
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
root, call, what = sys.argv[1:]
setattr(os, call, die)
if what == "original":
    put = FileOriginals(Path(root), LIMIT_BYTES).put(ACME, named(LARGE), opened(LARGE))
else:
    put = FileDerivatives(Path(root), LIMIT_BYTES).put(key("one"), LARGE_PICTURE)
import proxy.adapters.atomic_folder
if call == "link":
    proxy.adapters.atomic_folder.AtomicFolder.publish.__defaults__ = (die,)
asyncio.run(put)
"""


def kill_while_putting(root: Path, call: str, what: str) -> None:
    """Put in another process, which is killed when it comes to the system call."""
    command = [sys.executable, "-c", _KILLED, str(root), call, what]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9


@pytest.mark.parametrize("call", ["fsync", "link"])
async def test_a_put_that_is_killed_leaves_no_original(
    file_originals: FileOriginals, tmp_path: Path, call: str
) -> None:
    kill_while_putting(tmp_path, call, "original")
    assert len(files_in(tmp_path)) == 1
    with pytest.raises(NotFound):
        await file_originals.open(ACME, named(LARGE))
    assert await put(file_originals, LARGE) is True
    assert content_of(await file_originals.open(ACME, named(LARGE))) == LARGE


@pytest.mark.parametrize("call", ["fsync", "link"])
async def test_a_put_that_is_killed_leaves_no_derivative(
    file_derivatives: FileDerivatives, tmp_path: Path, call: str
) -> None:
    kill_while_putting(tmp_path, call, "derivative")
    assert len(files_in(tmp_path)) == 1
    assert await file_derivatives.get(key("one")) is None


async def test_a_put_that_is_killed_once_the_name_is_given_has_put_the_whole(
    file_originals: FileOriginals, tmp_path: Path
) -> None:
    kill_while_putting(tmp_path, "unlink", "original")
    assert content_of(await file_originals.open(ACME, named(LARGE))) == LARGE


async def test_a_sweep_deletes_what_a_kill_left_once_it_is_old(file_originals: FileOriginals, tmp_path: Path) -> None:
    kill_while_putting(tmp_path, "link", "original")
    await put(file_originals, SMALL)
    assert await file_originals.sweep(older_than_s=3600) == 0
    (left,) = (tmp_path / "originals" / ".incoming").iterdir()
    os.utime(left, (1, 1))
    assert await file_originals.sweep(older_than_s=3600) == 1
    assert content_of(await file_originals.open(ACME, named(SMALL))) == SMALL


@pytest.fixture
def large_source() -> Iterator[OpenOriginal]:
    """Give the large original; made before the disk is full, as a limit on files holds for memory files too."""
    with opened(LARGE) as source:
        yield source


@pytest.fixture
def full_disk(tmp_path: Path, large_source: OpenOriginal) -> Iterator[Path]:
    """Give a folder too small for the samples: a tiny file system, or a limit on files where none may be mounted."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode == 0:
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, hard))
        yield folder
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_unavailable_and_nothing_is_left_of_the_original(
    full_disk: Path, large_source: OpenOriginal
) -> None:
    originals = FileOriginals(full_disk, LIMIT_BYTES)
    with pytest.raises(Unavailable, match="full") as raised:
        await originals.put(ACME, named(LARGE), large_source)
    assert str(full_disk) not in raised.value.detail
    assert isinstance(raised.value.__cause__, OSError)
    assert files_in(full_disk) == []
    assert await put(originals, SMALL) is True
    originals.close()


async def test_a_full_disk_is_unavailable_and_nothing_is_left_of_the_derivative(full_disk: Path) -> None:
    derivatives = FileDerivatives(full_disk, LIMIT_BYTES)
    with pytest.raises(Unavailable, match="full"):
        await derivatives.put(key("one"), LARGE_PICTURE)
    assert files_in(full_disk) == []
    assert await derivatives.get(key("one")) is None
    derivatives.close()


def original_file(root: Path, content: bytes) -> Path:
    return root / "originals" / "acme" / named(content)[:2] / named(content)


@pytest.mark.parametrize("wrong", [b"", SMALL[:-1], SMALL + b"x", b"x" + SMALL[1:]])
async def test_an_original_whose_bytes_are_others_is_damaged(
    file_originals: FileOriginals, tmp_path: Path, wrong: bytes
) -> None:
    await put(file_originals, SMALL)
    original_file(tmp_path, SMALL).write_bytes(wrong)
    with pytest.raises(CorruptImage):
        await file_originals.open(ACME, named(SMALL))


async def test_putting_an_original_again_mends_a_damaged_one(file_originals: FileOriginals, tmp_path: Path) -> None:
    await put(file_originals, SMALL)
    original_file(tmp_path, SMALL).write_bytes(b"rotten")
    assert await put(file_originals, SMALL) is True
    assert content_of(await file_originals.open(ACME, named(SMALL))) == SMALL


async def test_bytes_are_not_kept_under_a_name_that_is_not_theirs(
    file_originals: FileOriginals, tmp_path: Path
) -> None:
    with opened(LARGE) as source, pytest.raises(CorruptImage):
        await file_originals.put(ACME, named(SMALL), source)
    assert files_in(tmp_path) == []


async def test_a_stored_original_over_the_limit_is_refused_with_the_number(
    file_originals: FileOriginals, tmp_path: Path
) -> None:
    await put(file_originals, LARGE)
    strict = FileOriginals(tmp_path, 1000)
    with pytest.raises(LimitExceeded, match="1000"):
        await strict.open(ACME, named(LARGE))
    strict.close()


def read_bytes_so_far() -> int:
    """Give how many bytes this process has read by system calls (proc(5), rchar)."""
    return int(Path("/proc/self/io").read_text().split()[1])


async def test_an_original_is_read_once_to_be_verified_and_then_remembered(
    file_originals: FileOriginals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.adapters.files._SETTLED_NS", 0)
    await put(file_originals, LARGE)
    before = read_bytes_so_far()
    (await file_originals.open(ACME, named(LARGE))).close()
    verified = read_bytes_so_far()
    (await file_originals.open(ACME, named(LARGE))).close()
    assert verified - before >= len(LARGE) > read_bytes_so_far() - verified


async def test_a_remembered_original_that_is_changed_is_read_again(
    file_originals: FileOriginals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.adapters.files._SETTLED_NS", 0)
    await put(file_originals, SMALL)
    (await file_originals.open(ACME, named(SMALL))).close()
    await asyncio.sleep(0.05)
    original_file(tmp_path, SMALL).write_bytes(b"x" + SMALL[1:])
    with pytest.raises(CorruptImage):
        await file_originals.open(ACME, named(SMALL))


@pytest.mark.parametrize("wrong", [b"", b"rotten", b"drkroom\x01" + bytes(100)])
async def test_a_damaged_derivative_is_a_miss_and_can_be_put_again(
    file_derivatives: FileDerivatives, tmp_path: Path, wrong: bytes
) -> None:
    await file_derivatives.put(key("one"), PICTURE)
    (tmp_path / "derivatives" / key("one")).write_bytes(wrong)
    assert await file_derivatives.get(key("one")) is None
    await file_derivatives.put(key("one"), OTHER_PICTURE)
    assert await file_derivatives.get(key("one")) == OTHER_PICTURE


async def test_a_root_that_is_no_folder_is_unavailable(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_bytes(b"")
    originals = FileOriginals(root, LIMIT_BYTES)
    with pytest.raises(Unavailable):
        await originals.ping()
    with pytest.raises(Unavailable):
        await put(originals, SMALL)
    with pytest.raises(Unavailable):
        await originals.open(ACME, named(SMALL))
    originals.close()


async def test_a_disk_that_hangs_is_refused_once_its_queue_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.adapters.atomic_folder._CALLS", 3)
    folder = AtomicFolder(tmp_path)
    reader, writer = os.pipe()
    hanging = [folder.submit(lambda: os.read(reader, 1)) for _ in range(3)]
    with pytest.raises(ServerBusy):
        folder.submit(lambda: None)
    os.write(writer, b"123")
    await asyncio.gather(*map(asyncio.wrap_future, hanging))
    await folder.ping()
    folder.close()
    os.close(reader)
    os.close(writer)
