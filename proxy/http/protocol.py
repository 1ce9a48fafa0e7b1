"""uvicorn's HTTP protocol with a shorter way for what is at hand.

Theory. A hit costs less than what carries it: a scope, a task, two messages, two writes, every header searched for
characters that ours cannot have. None of that is needed where one piece of data is one whole GET without a body, on a
connection that has nothing else to do, and its answer is in memory. So such a piece is read by a parser of its own
(the same llhttp, as strict), the application is asked in a plain call, and what it gives is sent in one write.
In every other case, and wherever the application would have to wait or to refuse, the same bytes go the usual way, as
if nobody had looked at them: uvicorn's own parser has seen nothing of what was answered, and stands between two
messages.
"""

from functools import lru_cache
from typing import Protocol, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from proxy.http.problem import Headers

LARGEST_BYTES = 8_192
"""A longer head goes the usual way, where its limits are told."""


class FastPathApplication(Protocol):
    """An application that can be asked without waiting."""

    def respond_from_memory(self, target: bytes, fields: Headers) -> tuple[int, bytes, bytes] | None:
        """Answer a GET: status, header lines with the Content-Length, body; None asks for the usual call."""
        ...


class FastPathProtocol(HttpToolsProtocol):
    """One connection; `config.app` is asked for what it has at hand."""

    _between = True
    """Between two messages: the usual parser holds no part of one."""
    _reader: "_Reader | None" = None

    def on_message_begin(self) -> None:
        """Note that a message has begun."""
        self._between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that it has ended."""
        self._between = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Answer at once, or let the usual way have it."""
        if not (self._between and data.startswith(b"GET /") and self._send_at_once(data)):
            super().data_received(data)

    def _send_at_once(self, data: bytes) -> bool:
        """Send the answer if it is at hand and nothing is in its way; tell whether that was so."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy or self.flow.write_paused or self.transport.is_closing() or len(data) > LARGEST_BYTES:
            return False
        reader = self._reader = self._reader or _Reader()
        if not reader.read(data):
            self._reader = None
            return False
        answer = cast("FastPathApplication", self.config.app).respond_from_memory(reader.target, reader.fields)
        if answer is None:
            return False
        status, lines, body = answer
        self._unset_keepalive_if_required()
        dated = _lines(tuple(self.server_state.default_headers))
        self.transport.write(b"".join((STATUS_LINE[status], dated, lines, b"\r\n", body)))
        self.on_response_complete()
        return True


@lru_cache(maxsize=2)
def _lines(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Give the server's own header lines; uvicorn makes them new once a second."""
    return b"".join(b"%b: %b\r\n" % field for field in fields)


class _Reader:
    """Reads one whole message after the other; one that once said no may be amid a message, and is done with."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: Headers = []
        self._begun = self._ended = 0
        self._stays = False
        self._parser = httptools.HttpRequestParser(self)

    def read(self, data: bytes) -> bool:
        """Tell whether `data` is one whole GET in HTTP/1.1, without a body, on a connection that stays open."""
        self.target, self.fields, self._begun, self._ended = b"", [], 0, 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        # A body would follow the blank line, a second message as well: then this is not the end of the data.
        whole = self._begun == self._ended == 1 and data.endswith(b"\r\n\r\n") and data.count(b"\r\n\r\n") == 1
        return whole and self._stays and self._parser.get_http_version() == "1.1"

    def on_message_begin(self) -> None:
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_message_complete(self) -> None:
        self._ended += 1
        self._stays = self._parser.should_keep_alive()  # llhttp forgets it with the message
