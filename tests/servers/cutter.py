"""A TCP forwarder in front of any server, which misbehaves on request."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK_BYTES = 2**16
_NO_LINGER = struct.pack("ii", 1, 0)


class Cutter:
    """Forwards connections at (`host`, `port`) to a server, on the event loop that opened it."""

    host = "127.0.0.1"

    def __init__(self, server_host: str, server_port: int) -> None:
        self._server = (server_host, server_port)
        self._listener: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._answer_bytes: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        """The number of accepted connections."""

    def stall(self) -> None:
        """Accept connections and forward nothing, in neither direction."""
        self._flowing.clear()

    async def refuse(self) -> None:
        """Refuse new connections and reset the open ones, as a server does that has just ended."""
        if self._listener:
            self._listener.close()
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Reset the open connections; accept new ones."""
        for writer in list(self._open):
            # a close without lingering is a reset (RST), socket(7); a connection that is closed already raises
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()

    def cut_after(self, answer_bytes: int) -> None:
        """From now on, end each connection after this number of bytes from the server."""
        self._answer_bytes = answer_bytes

    async def restore(self) -> None:
        """Forward everything again."""
        self._answer_bytes = None
        self._flowing.set()
        await self.listen()

    async def listen(self) -> None:
        """Accept connections, on the same port as before if there was one."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, self.host, self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections and tasks."""
        await self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._flowing.wait()
            server_reader, server_writer = await asyncio.open_connection(*self._server)
        except OSError:
            self._drop(writer)
            return
        self._open.add(server_writer)
        try:
            await asyncio.gather(self._ask(reader, server_writer), self._answer(server_reader, writer))
        finally:
            self._drop(writer)
            self._drop(server_writer)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent_bytes = 0
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._flowing.wait()
                left_bytes = len(data) if self._answer_bytes is None else self._answer_bytes - sent_bytes
                writer.write(data[:left_bytes])
                await writer.drain()
                sent_bytes += len(data)
                if left_bytes < len(data):
                    break
            writer.close()
            await writer.wait_closed()

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.transport.abort()


@asynccontextmanager
async def open_cutter(server_host: str, server_port: int) -> AsyncIterator[Cutter]:
    """Open a forwarder to a server, on a free port."""
    cutter = Cutter(server_host, server_port)
    await cutter.listen()
    try:
        yield cutter
    finally:
        await cutter.close()
