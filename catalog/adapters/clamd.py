r"""clamd: the scanner of ClamAV, over its INSTREAM command.

A session sends `zINSTREAM\0`, then chunks, each behind its length in four bytes, then a length of zero. The answer ends
with a NUL: `stream: OK`, `stream: NAME FOUND` or a text that ends with `ERROR`. Above its StreamMaxLength clamd answers
`INSTREAM size limit exceeded. ERROR` in the middle of the stream and closes the connection, which is why a write that
fails is followed by a read, and why this speaks to the socket itself: a stream of asyncio forgets what it has not read
when a write fails. Source: clamd(8), "COMMANDS".

Every wait has a deadline. A clamd that did not answer is not asked again for a few seconds: uploads do not wait for it
one after the other.
"""

import asyncio
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from catalog.core.api_errors import ScannerLimitExceeded
from catalog.core.errors import ScannerUnavailable
from catalog.ports import Scanning
from catalog.records.image import REASON_LENGTH
from proxy.ports import OpenOriginal, Originals

CONNECT_S: Final = 3.0
ANSWER_S: Final = 30.0
"""For one file, from its first byte to the answer, the wait for a turn included."""
REST_S: Final = 5.0
MAX_SCANS: Final = 8
"""At once and from this process: fewer than clamd's own threads (MaxThreads, 10)."""
_CHUNK_BYTES: Final = 2**18
_MAX_ANSWER_BYTES: Final = 4_096
_FOUND = re.compile(r"stream: (.+) FOUND")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a scanner may take, in seconds."""

    connect_s: float = CONNECT_S
    answer_s: float = ANSWER_S
    rest_s: float = REST_S


class ClamdScanner:
    """The `Scanner` port on a clamd at `tcp://host:port` or `unix:///path`."""

    def __init__(
        self, address: str, deadlines: Deadlines | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = urlsplit(address)
        self._deadlines = deadlines or Deadlines()
        self._clock = clock
        self._turns = asyncio.Semaphore(MAX_SCANS)
        self._rests_until_s = 0.0

    async def scan(self, file: OpenOriginal) -> str | None:
        """Return the signature that a file matches, or None. Raise ScannerUnavailable or ScannerLimitExceeded."""
        if self._clock() < self._rests_until_s:
            raise ScannerUnavailable("The scanner did not answer a moment ago.")
        try:
            async with asyncio.timeout(self._deadlines.answer_s), self._turns:
                return _read_verdict(await self._ask(file))
        except (OSError, TimeoutError) as error:
            self._rests_until_s = self._clock() + self._deadlines.rest_s
            raise ScannerUnavailable("The scanner does not answer.") from error

    async def ping(self) -> None:
        """Return if the scanner answers. Raise ScannerUnavailable otherwise."""
        try:
            async with asyncio.timeout(self._deadlines.answer_s):
                with await self._connect() as connection:
                    await asyncio.get_running_loop().sock_sendall(connection, b"zPING\0")
                    answer = await _receive(connection)
        except (OSError, TimeoutError) as error:
            raise ScannerUnavailable("The scanner does not answer.") from error
        if answer != "PONG":
            raise ScannerUnavailable("The scanner's answer is not that of a clamd.")

    async def _ask(self, file: OpenOriginal) -> str:
        with await self._connect() as connection:
            with suppress(ConnectionError):
                await _send(connection, file)
            return await _receive(connection)

    async def _connect(self) -> socket.socket:
        async with asyncio.timeout(self._deadlines.connect_s):
            if self._address.scheme == "unix":
                return await _open_socket(socket.AF_UNIX, self._address.path)
            host, port = self._address.hostname, self._address.port
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            for family, _, _, _, address in found[:-1]:
                with suppress(OSError):
                    return await _open_socket(family, address)
            return await _open_socket(found[-1][0], found[-1][4])


def scanning_of(address: str, quarantine: Originals) -> Scanning | None:
    """Return the scanner at an address with the quarantine beside it; None if there is no address."""
    return Scanning(ClamdScanner(address), quarantine) if address else None


async def _open_socket(family: int, address: object) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)  # noqa: FBT003 - the only way that it is spelled
        await asyncio.get_running_loop().sock_connect(connection, address)  # type: ignore[arg-type]
    except BaseException:
        connection.close()
        raise
    return connection


async def _send(connection: socket.socket, file: OpenOriginal) -> None:
    """Send a file; no more of it than a chunk is in memory."""
    send = partial(asyncio.get_running_loop().sock_sendall, connection)
    await send(b"zINSTREAM\0")
    at = 0
    while chunk := await asyncio.to_thread(os.pread, file.fd, _CHUNK_BYTES, at):
        at += len(chunk)
        await send(len(chunk).to_bytes(4, "big") + chunk)
    await send(bytes(4))


async def _receive(connection: socket.socket) -> str:
    """Return an answer up to its NUL, or as much of it as comes."""
    answer = b""
    while len(answer) < _MAX_ANSWER_BYTES and b"\0" not in answer:
        received = await asyncio.get_running_loop().sock_recv(connection, _MAX_ANSWER_BYTES)
        if not received:
            break
        answer += received
    return answer.partition(b"\0")[0].decode(errors="replace").strip()


def _read_verdict(answer: str) -> str | None:
    """Return the signature of an answer, or None. Raise ScannerUnavailable or ScannerLimitExceeded."""
    if answer == "stream: OK":
        return None
    if (found := _FOUND.fullmatch(answer)) is not None:
        printable = "".join(character if character.isprintable() else "_" for character in found[1])
        return printable[:REASON_LENGTH]
    if answer.startswith("INSTREAM size limit exceeded"):
        raise ScannerLimitExceeded
    raise ScannerUnavailable("The scanner reports an error, or its answer is not that of a clamd.")
