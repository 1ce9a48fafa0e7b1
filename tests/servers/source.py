"""A foreign HTTP server that answers as it is told, byte by byte; on its own thread, so that a process may ask it."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it came in; field names in small letters."""

    path: str
    fields: dict[str, str]


Answering = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: str = "200 OK", **fields: str) -> bytes:
    """Write an answer with its length; `_` in a field's name stands for `-`."""
    told = {"content-length": str(len(body))} | {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


@dataclass
class ForeignServer:
    """What it answers, by path: bytes, or a coroutine function that writes them; what it was asked."""

    port: int = 0
    answers: dict[str, bytes | Answering] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Its address over plain HTTP, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def conditional(self, path: str, body: bytes, etag: str) -> None:
        """Answer a path with an ETag, and with 304 who has it."""

        async def give(heard: Heard, writer: asyncio.StreamWriter) -> None:
            known = heard.fields.get("if-none-match") == etag
            writer.write(answer(status="304 Not Modified", etag=etag) if known else answer(body, etag=etag))

        self.answers[path] = give

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, request after request."""
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError), _closing(writer):
            while True:
                heard = _read((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                self.heard.append(heard)
                told = self.answers.get(heard.path, answer(status="404 Not Found"))
                if isinstance(told, bytes):
                    writer.write(told)
                else:
                    await told(heard, writer)
                await writer.drain()
                if writer.is_closing():
                    break


def _read(head: str) -> Heard:
    first, *lines = head.split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return Heard(first.split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs})


@contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    finally:
        writer.close()


@contextmanager
def foreign_server(
    host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
) -> Iterator[ForeignServer]:
    """Run a server on a loopback address, on a free port if none is given; with a context over TLS."""
    server, started, loop = ForeignServer(), threading.Event(), asyncio.new_event_loop()
    ending = asyncio.Event()

    async def run() -> None:
        listener = await asyncio.start_server(server.serve, host, port, ssl=context)
        server.port = listener.sockets[0].getsockname()[1]
        started.set()
        await ending.wait()
        listener.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close behind the tasks

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(10)
        loop.close()
