"""uvicorn's HTTP protocol with a shorter way for what is at hand.

Theory. A hit costs less than what carries it: a task of its own, two messages, two writes, every header searched for
characters that ours cannot have. None of it is needed where the whole answer is there when the request's head is. So the
application is asked first, in a plain call; it gives the answer, which is sent in one write, or None, and then
the request goes its usual way as if nobody had asked. Only hits and 304s are short: nothing here waits or refuses.

The step between a parsed head and its task has no public name in uvicorn. If it is renamed, every request goes the usual
way; that a hit does go the short one is held by a test.
"""

from typing import TYPE_CHECKING, Protocol, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from proxy.problem import Headers

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application


class AtOnce(Protocol):
    """An application that can be asked without waiting."""

    def at_once(self, scope: Scope) -> tuple[int, Headers, bytes] | None:
        """Give status, headers (with their Content-Length, if there is a body) and body; None asks for a call."""
        ...


class Doorstep(HttpToolsProtocol):
    """One connection; `config.app` is asked for what it has at hand."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: "ASGI3Application") -> None:
        if not self._send_at_once(cycle):
            super()._start_asgi_task(cycle, app)

    def _send_at_once(self, cycle: RequestResponseCycle) -> bool:
        """Send the answer if there is one at hand and nothing is in its way; tell whether that was so.

        A line of pipelined requests goes the usual way: each answer would start the next within its own call.
        """
        if self.pipeline or self.flow.write_paused or not cycle.keep_alive:
            return False
        answer = cast("AtOnce", self.config.app).at_once(cast("Scope", cycle.scope))
        if answer is None:
            return False
        status, headers, body = answer
        lines = [b"%b: %b\r\n" % field for field in (*cycle.default_headers, *headers)]
        cycle.response_started = cycle.response_complete = True
        self.transport.write(b"".join((STATUS_LINE[status], *lines, b"\r\n", body)))
        cycle.on_response()
        return True
