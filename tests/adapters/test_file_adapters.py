"""Files: kills, full disks and damaged ones, and a budget for what can be made again."""

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.adapters.files import FileDerivatives, FileOriginals, FileResolvedReferences
from proxy.adapters.files.atomic_folder import AtomicFolder
from proxy.adapters.files.tree import remove_empty_folders
from proxy.core.errors import CorruptImage, LimitExceeded, NotFound, ServerBusy, Unavailable
from proxy.core.url.resolved_reference import ResolvedReference, Validators
from proxy.core.url.source_reference import parse_reference
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
RESOLVED = ResolvedReference(named(SMALL), Validators(), 0.0)


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


async def test_the_folders_are_their_owner_s_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    originals, derivatives = FileOriginals(home, LIMIT_BYTES), FileDerivatives(home, LIMIT_BYTES)
    resolved = FileResolvedReferences(home)
    await put(originals, SMALL)
    await derivatives.put(key("one"), PICTURE)
    await resolved.put(ACME, parse_reference("https://host/a"), RESOLVED)
    assert {path.stat().st_mode & 0o777 for path in (home, *home.rglob("*")) if path.is_dir()} == {0o700}
    for adapter in (originals, derivatives, resolved):
        adapter.close()


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
import proxy.adapters.files.atomic_folder
if call == "link":
    proxy.adapters.files.atomic_folder.AtomicFolder.publish.__defaults__ = (die,)
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


async def test_a_put_that_is_killed_leaves_no_derivative(file_derivatives: FileDerivatives, tmp_path: Path) -> None:
    kill_while_putting(tmp_path, "link", "derivative")
    assert len(files_in(tmp_path)) == 1
    assert await file_derivatives.get(key("one")) is None


async def test_a_derivative_is_not_fsynced_and_an_original_is(
    file_originals: FileOriginals, file_derivatives: FileDerivatives, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    await file_derivatives.put(key("one"), PICTURE)
    assert synced == []
    await put(file_originals, SMALL)
    assert synced


@pytest.mark.parametrize("length", [0, 1, 4096, -1])
@pytest.mark.parametrize("filler", [b"", b"\0"], ids=["cut", "zeros"])
async def test_a_derivative_that_a_power_cut_tore_is_a_miss(
    file_derivatives: FileDerivatives, tmp_path: Path, length: int, filler: bytes
) -> None:
    """What a file system may leave of a file that was not fsynced: its first pages, then nothing or zeros."""
    await file_derivatives.put(key("one"), LARGE_PICTURE)
    path = tmp_path / "derivatives" / key("one")
    whole = path.read_bytes()
    path.write_bytes(whole[:length] + filler * len(whole[length:]))
    assert await file_derivatives.get(key("one")) is None
    await file_derivatives.put(key("one"), LARGE_PICTURE)
    assert await file_derivatives.get(key("one")) == LARGE_PICTURE


async def test_a_derivative_under_another_key_is_a_miss(file_derivatives: FileDerivatives, tmp_path: Path) -> None:
    await file_derivatives.put(key("one"), PICTURE)
    folder = tmp_path / "derivatives"
    (folder / key("one")).rename(folder / key("two"))
    assert await file_derivatives.get(key("two")) is None


async def test_a_derivative_over_the_limit_is_a_miss(tmp_path: Path, file_derivatives: FileDerivatives) -> None:
    await file_derivatives.put(key("one"), LARGE_PICTURE)
    strict = FileDerivatives(tmp_path, 1000)
    assert await strict.get(key("one")) is None
    strict.close()


async def test_a_purge_leaves_no_empty_folder(file_derivatives: FileDerivatives, tmp_path: Path) -> None:
    await file_derivatives.put(key("one"), PICTURE)
    await file_derivatives.put(key("two"), PICTURE)
    await file_derivatives.purge(ACME)
    assert [path.name for path in (tmp_path / "derivatives").iterdir()] == [".incoming"]


async def test_a_put_survives_that_its_folder_is_deleted_as_empty(tmp_path: Path) -> None:
    folder = AtomicFolder(tmp_path / "derivatives", durable=False)
    path = folder.path / "a" / "b" / "file"
    links = 0

    def link(temporary: Path, name: Path) -> None:
        nonlocal links
        links += 1
        if links == 1:
            remove_empty_folders(name.parent, folder.path)
        os.link(temporary, name)

    assert folder.publish(path, [b"whole"], link) is True
    assert path.read_bytes() == b"whole"
    folder.close()


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
    """Provide the large original; made before the disk is full, as a limit on files holds for memory files too."""
    with opened(LARGE) as source:
        yield source


@pytest.fixture
def full_disk(tmp_path: Path, large_source: OpenOriginal) -> Iterator[Path]:
    """Provide a folder too small for the samples: a tiny file system, or a limit on files where none may be mounted."""
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
    """Return how many bytes this process has read by system calls (proc(5), rchar)."""
    return int(Path("/proc/self/io").read_text().split()[1])


async def test_an_original_is_read_once_to_be_verified_and_then_remembered(
    file_originals: FileOriginals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.adapters.files.originals._SETTLED_NS", 0)
    await put(file_originals, LARGE)
    before = read_bytes_so_far()
    (await file_originals.open(ACME, named(LARGE))).close()
    verified = read_bytes_so_far()
    (await file_originals.open(ACME, named(LARGE))).close()
    assert verified - before >= len(LARGE) > read_bytes_so_far() - verified


async def test_a_remembered_original_that_is_changed_is_read_again(
    file_originals: FileOriginals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.adapters.files.originals._SETTLED_NS", 0)
    await put(file_originals, SMALL)
    (await file_originals.open(ACME, named(SMALL))).close()
    await asyncio.sleep(0.05)
    original_file(tmp_path, SMALL).write_bytes(b"x" + SMALL[1:])
    with pytest.raises(CorruptImage):
        await file_originals.open(ACME, named(SMALL))


@pytest.mark.parametrize("wrong", [b"", b"rotten", b"drkroom\x02" + bytes(100)])
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
    monkeypatch.setattr("proxy.adapters.files.atomic_folder._CALLS", 3)
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
