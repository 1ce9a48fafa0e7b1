"""Staged files: limited, hashed, written in threads of their own, and closed whoever still writes."""

import asyncio
import errno
import threading
from hashlib import sha256

import pytest

from proxy.core.errors import LimitExceeded, Unavailable
from proxy.delivery import staging
from proxy.delivery.staging import StagedFile
from tests.adapters.samples import content_of


async def test_what_is_appended_is_counted_hashed_and_read_from_the_beginning() -> None:
    with StagedFile(100) as staged:
        for chunk in (b"one ", b"two ", b"three"):
            await staged.append(chunk)
        assert staged.size_bytes == 13
        assert staged.digest == sha256(b"one two three").hexdigest()
        for _ in range(2):
            assert content_of(staged.open()) == b"one two three"


async def test_what_follows_the_end_is_cut_off_and_the_rest_is_hashed_again() -> None:
    with StagedFile(100) as staged:
        await staged.append(b"one two three")
        await staged.truncate(7)
        assert (staged.size_bytes, staged.digest) == (7, sha256(b"one two").hexdigest())
        assert content_of(staged.open()) == b"one two"


async def test_the_limit_is_exact() -> None:
    with StagedFile(5) as staged:
        await staged.append(b"12345")
        with pytest.raises(LimitExceeded, match="more than 5 bytes") as error:
            await staged.append(b"6")
        assert error.value.limit == "source_bytes"
    with StagedFile(5) as staged:
        staged.expect(5)
        with pytest.raises(LimitExceeded, match="6 bytes; the limit is 5"):
            staged.expect(6)


async def test_a_full_disk_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        closed = False

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with StagedFile(100) as staged, monkeypatch.context() as patch:
        patch.setattr(staged, "_file", Full())
        with pytest.raises(Unavailable, match="no room"):
            await staged.append(b"x")


async def test_it_writes_in_threads_of_its_own() -> None:
    names: list[str] = []

    class Recorder(StagedFile):
        def write(self, chunk: bytes) -> None:
            names.append(threading.current_thread().name)
            super().write(chunk)

    with Recorder(100) as staged:
        await staged.append(b"x")
    assert names[0].startswith("darkroom-staging")
    assert staging._EXECUTOR._max_workers == 4


async def test_after_a_cancellation_nothing_is_written_to_a_closed_file() -> None:
    blocked, go = threading.Event(), threading.Event()

    class Slow(StagedFile):
        error: Exception | None = None

        def write(self, chunk: bytes) -> None:
            blocked.set()
            go.wait(10)
            try:
                super().write(chunk)
            except Exception as error:
                self.error = error
                raise
            finally:
                blocked.clear()

    with Slow(100) as staged:
        writing = asyncio.create_task(staged.append(b"x"))
        while not blocked.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    go.set()
    while blocked.is_set():  # noqa: ASYNC110 - cleared by a thread
        await asyncio.sleep(0)
    assert staged.error is None
    assert staged._file.closed
