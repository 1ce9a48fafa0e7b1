"""The scanner's adapter: against a clamd that fails in every way, and against a real one where it is installed."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pydantic import ValidationError

from catalog.adapters.clamd import ClamdScanner, Deadlines
from catalog.core.api_errors import ScannerLimitExceeded
from catalog.core.errors import ScannerUnavailable
from proxy.ports import OpenOriginal
from proxy.settings import Settings
from tests.catalog.scanning.eicar import EICAR, infected_png
from tests.catalog.scanning.real_clamd import SIGNATURE, real_clamd

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
QUICK = Deadlines(connect_s=0.2, answer_s=0.2, rest_s=0.0)
PATIENT = Deadlines(connect_s=10, answer_s=10, rest_s=0.0)


def opened(body: bytes) -> OpenOriginal:
    fd = os.memfd_create("file", os.MFD_CLOEXEC)
    os.pwrite(fd, body, 0)
    return OpenOriginal(fd, len(body))


async def scan(scanner: ClamdScanner, body: bytes) -> str | None:
    with opened(body) as file:
        return await scanner.scan(file)


@asynccontextmanager
async def serving(behave: Behaviour) -> AsyncIterator[str]:
    """Run a clamd that behaves so, on a socket of its own; yield its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await behave(reader, writer)
        writer.close()

    with TemporaryDirectory() as folder:
        path = Path(folder) / "clamd.sock"
        server = await asyncio.start_unix_server(serve, path)
        try:
            yield f"unix://{path}"
        finally:
            server.close()


async def received(reader: asyncio.StreamReader) -> list[bytes]:
    """Read one INSTREAM command; return its chunks."""
    assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
    chunks = []
    while size := int.from_bytes(await reader.readexactly(4), "big"):
        chunks.append(await reader.readexactly(size))
    return chunks


def answering(answer: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await received(reader)
        writer.write(answer)
        await writer.drain()

    return behave


async def test_a_file_is_sent_in_bounded_chunks_and_its_answer_read() -> None:
    body, heard = bytes(range(256)) * 4_000, []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await received(reader))
        for part in (b"stream: ", b"OK", b"\0"):
            writer.write(part)
            await writer.drain()

    async with serving(behave) as address:
        assert await scan(ClamdScanner(address, PATIENT), body) is None
    assert b"".join(heard) == body
    assert max(map(len, heard)) <= 2**18


@pytest.mark.parametrize(
    ("answer", "signature"),
    [
        (b"stream: Win.Test.EICAR_HDB-1 FOUND\0", "Win.Test.EICAR_HDB-1"),
        (b"stream: a\x1b[31m FOUND\0", "a_[31m"),
        (b"stream: " + b"x" * 999 + b" FOUND\0", "x" * 255),
    ],
)
async def test_a_signature_is_told_by_its_name(answer: bytes, signature: str) -> None:
    async with serving(answering(answer)) as address:
        assert await scan(ClamdScanner(address, PATIENT), b"body") == signature


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK FOUND? no\0",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"stream: Can't allocate memory ERROR\0",
        b"x" * 10_000,
        b"\0" * 10,
        b"\xff\xfe\0",
    ],
)
async def test_an_answer_that_makes_no_sense_is_not_clean(answer: bytes) -> None:
    async with serving(answering(answer)) as address:
        with pytest.raises(ScannerUnavailable):
            await scan(ClamdScanner(address, PATIENT), b"body")


async def test_a_scanner_that_accepts_and_never_answers_is_given_up() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # to the end of the connection

    async with serving(behave) as address:
        with pytest.raises(ScannerUnavailable):
            await scan(ClamdScanner(address, QUICK), b"body")
        with pytest.raises(ScannerUnavailable):
            await ClamdScanner(address, QUICK).ping()


async def test_a_scanner_that_accepts_and_never_reads_is_given_up() -> None:
    blocked = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await blocked.wait()

    async with serving(behave) as address:
        with pytest.raises(ScannerUnavailable):
            await scan(ClamdScanner(address, QUICK), bytes(8 * 2**20))
        blocked.set()


async def test_the_limit_of_the_scanner_is_told_though_it_closes_in_the_middle() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1_000)
        writer.write(b"INSTREAM size limit exceeded. ERROR\0")
        await writer.drain()

    async with serving(behave) as address:
        with pytest.raises(ScannerLimitExceeded):
            await scan(ClamdScanner(address, PATIENT), bytes(8 * 2**20))


async def test_a_scanner_that_closes_at_once_is_out() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async with serving(behave) as address:
        with pytest.raises(ScannerUnavailable):
            await scan(ClamdScanner(address, PATIENT), bytes(2**20))


@pytest.mark.parametrize("address", ["unix:///nowhere/clamd.sock", "tcp://127.0.0.1:9", "tcp://no-such-host.invalid:1"])
async def test_a_scanner_that_is_not_there_is_out(address: str) -> None:
    with pytest.raises(ScannerUnavailable):
        await scan(ClamdScanner(address, PATIENT), b"body")


async def test_a_scanner_that_was_out_is_not_asked_again_for_a_while() -> None:
    clock_s = 100.0
    asked = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            await answering(b"stream: OK\0")(reader, writer)
        else:
            await asyncio.sleep(5)

    async with serving(behave) as address:
        deadlines = Deadlines(connect_s=5, answer_s=0.2, rest_s=5)
        scanner = ClamdScanner(address, deadlines, lambda: clock_s)
        for _ in range(3):
            with pytest.raises(ScannerUnavailable):
                await scan(scanner, b"body")
        assert asked == 1
        clock_s += 5
        object.__setattr__(deadlines, "answer_s", 10)
        assert await scan(scanner, b"body") is None


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_no_descriptor_is_left_open() -> None:
    before = descriptors()
    scanner = ClamdScanner("unix:///nowhere/clamd.sock", PATIENT)
    for _ in range(5):
        with pytest.raises(ScannerUnavailable):
            await scan(scanner, b"body")
    assert descriptors() == before


def test_a_real_clamd_is_understood(tmp_path: Path) -> None:
    async def talk() -> None:
        scanner = ClamdScanner(address)
        await scanner.ping()
        assert await scan(scanner, b"hello") is None
        assert await scan(scanner, EICAR) == SIGNATURE
        assert await scan(scanner, infected_png()) == SIGNATURE
        with pytest.raises(ScannerLimitExceeded):
            await scan(scanner, bytes(6 * 2**20))

    with real_clamd(tmp_path) as address:
        asyncio.run(talk())


@pytest.mark.parametrize("address", ["", "unix:///run/clamd.sock", "tcp://scanner:3310", "tcp://[::1]:3310"])
def test_an_address_of_a_scanner_is_taken(address: str) -> None:
    assert Settings(clamd=address).clamd == address


@pytest.mark.parametrize("address", ["scanner:3310", "http://scanner:3310", "tcp://scanner", "unix://", "tcp://a b:1"])
def test_another_address_is_refused_with_what_to_write(address: str) -> None:
    with pytest.raises(ValidationError, match="tcp://host:3310 or unix:///path"):
        Settings(clamd=address)
