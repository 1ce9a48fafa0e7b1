"""A foreign HTTP server with configured answers, byte by byte. It has its own thread, so other processes can use it."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heard:
    """One received request; field names in lower case."""

    path: str
    fields: dict[str, str]


Answering = Callable[[Heard, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b"", status: str = "200 OK", **fields: str) -> bytes:
    """Return an answer with its Content-Length; `_` in a field's name stands for `-`."""
    headers = {"content-length": str(len(body))} | {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


@dataclass
class ForeignServer:
    """Answers by path (bytes, or a coroutine function that writes them), and the requests so far."""

    port: int = 0
    answers: dict[str, bytes | Answering] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """The address over plain HTTP, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def conditional(self, path: str, body: bytes, etag: str) -> None:
        """Answer a path with a body and its ETag, or with 304 if the request names the ETag."""

        async def respond(heard: Heard, writer: asyncio.StreamWriter) -> None:
            matches = heard.fields.get("if-none-match") == etag
            writer.write(answer(status="304 Not Modified", etag=etag) if matches else answer(body, etag=etag))

        self.answers[path] = respond

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError), _closing(writer):
            while True:
                heard = _read((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                self.heard.append(heard)
                response = self.answers.get(heard.path, answer(status="404 Not Found"))
                if isinstance(response, bytes):
                    writer.write(response)
                else:
                    await response(heard, writer)
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
    """Run a server on a loopback address, on a free port if none is given; over TLS if a context is given."""
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
        await asyncio.sleep(0.01)  # the transports close after the tasks

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(10)
        loop.close()
