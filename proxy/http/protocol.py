"""uvicorn's HTTP protocol with problem documents for malformed requests and a fast path for responses from memory.

Theory. A hit costs less than what carries it: a scope, a task, two messages, two writes, a search of every header for
characters that ours cannot have. None of that is needed where one piece of data is one whole GET without a body, on an
idle connection, and the response is in memory. Such a piece is read by a second parser (the same llhttp, equally
strict), the application is asked in a plain call, and its answer is sent in one write. In every other case, and
wherever the application would have to wait or to refuse, uvicorn's own parser receives the same bytes: it has seen
nothing of what was answered, and stands between two messages.

Some names used here are not a public interface of uvicorn. `tests/http/test_protocol.py` lists them, and pyproject.toml
stops at the last version that was tried.
"""

from functools import lru_cache
from typing import Protocol, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from proxy.core.errors import MalformedRequest
from proxy.http.problem import Headers, header_lines, new_request_id, problem_response, request_id_header

MAX_HEAD_BYTES = 8_192
"""A longer request head is left to the endpoint, which reports the limits."""


class Application(Protocol):
    """An ASGI application that can also be asked without waiting."""

    def respond_from_memory(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET: status, header lines with Content-Length, body; return None to be called through ASGI."""
        ...

    def note_unparsable(self, request_id: str, sent_bytes: int) -> None:
        """Count and log a request that is not HTTP and was answered with 400."""
        ...


class ProblemProtocol(HttpToolsProtocol):
    """One connection; malformed requests are answered with a problem document, after the responses before them."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature; the sentence is ours
        """Answer a request that is not HTTP, and close the connection.

        If an earlier request is still being answered, its response becomes the last one: a 400 would be taken for it.
        """
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # that request is whole; the fault is behind it
                cycle.keep_alive = False
                return
            if self.pipeline or cycle.response_started:
                self.transport.close()
                return
        request_id = new_request_id()
        response = problem_response(MalformedRequest("The request is not valid HTTP/1.1."), request_id)
        headers = [*response.headers, request_id_header(request_id), (b"connection", b"close")]
        server_lines = _cached_lines(tuple(self.server_state.default_headers))
        lines = header_lines(headers)
        self.transport.write(b"".join((STATUS_LINE[response.status], server_lines, lines, b"\r\n", response.body)))
        self.transport.close()
        cast("Application", self.config.app).note_unparsable(request_id, len(response.body))


class FastPathProtocol(ProblemProtocol):
    """One connection; `config.app` is first asked for what it can answer from memory."""

    _between_messages = True
    """Whether the usual parser holds no part of a message."""
    _reader: "_Reader | None" = None

    def on_message_begin(self) -> None:
        """Note that a message has begun."""
        self._between_messages = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that a message has ended."""
        self._between_messages = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Answer from memory, or leave the data to uvicorn."""
        if not (self._between_messages and data.startswith(b"GET /") and self._respond_at_once(data)):
            super().data_received(data)

    def _respond_at_once(self, data: bytes) -> bool:
        """Send the response if it is in memory and the connection is idle; return whether it was sent."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy or self.flow.write_paused or self.transport.is_closing() or len(data) > MAX_HEAD_BYTES:
            return False
        reader = self._reader = self._reader or _Reader()
        if not reader.read(data):
            self._reader = None
            return False
        response = cast("Application", self.config.app).respond_from_memory(reader.target, reader.fields)
        if response is None:
            return False
        status, lines, body = response
        self._unset_keepalive_if_required()
        server_lines = _cached_lines(tuple(self.server_state.default_headers))
        self.transport.write(b"".join((STATUS_LINE[status], server_lines, lines, b"\r\n", body)))
        self.on_response_complete()
        return True


@lru_cache(maxsize=2)
def _cached_lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return the server's own header lines; uvicorn renews them once a second."""
    return header_lines(list(fields))


class _Reader:
    """Reads whole messages, one after the other. After one that is refused it may be in the middle of a message."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: Headers = []
        self._begun = self._ended = self._hosts = 0
        self._keeps_alive = False
        self._parser = httptools.HttpRequestParser(self)

    def read(self, data: bytes) -> bool:
        """Return whether `data` is one whole HTTP/1.1 GET with one Host, no body, on a connection that stays open."""
        self.target, self.fields, self._begun, self._ended, self._hosts = b"", [], 0, 0, 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        # A body or a second message would follow the blank line: then the blank line is not the end of the data.
        whole = self._begun == self._ended == 1 and data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1
        return whole and self._hosts == 1 and self._keeps_alive and self._parser.get_http_version() == "1.1"

    def on_message_begin(self) -> None:
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self._hosts += name == b"host"
        self.fields.append((name, value))

    def on_message_complete(self) -> None:
        self._ended += 1
        self._keeps_alive = self._parser.should_keep_alive()  # llhttp forgets it with the message
