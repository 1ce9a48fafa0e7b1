"""The log lines of requests, selected by `DARKROOM_LOG_REQUESTS` and limited for refusals.

Theory. A refusal costs a stranger nothing, so a log line for each would let strangers fill disks. Per code, the first
lines of a second are written, the rest is counted, and one line at the end of the second reports the count. The number
of codes is fixed, so the number of lines per second is bounded.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Literal

import structlog
from starlette.types import Scope

log = structlog.get_logger("darkroom.http")

Mode = Literal["all", "work", "none"]
CallLater = Callable[[float, Callable[[], None]], object]

_WINDOW_S = 1.0
_LINES_PER_WINDOW = 10
_LONGEST_PATH = 2_048


class RequestLog:
    """Writes one line per request.

    `mode` "all" logs every request, "work" renders and a sample of the refusals, "none" nothing. `call_later` runs a
    function after some seconds; the default is the running event loop's.
    """

    def __init__(self, mode: Mode, call_later: CallLater | None = None) -> None:
        self.mode = mode
        self._call_later = call_later
        self._refusals: Counter[str] = Counter()

    def write(self, scope: Scope, tier: str, code: str | None, **fields: str | float) -> None:
        """Log a request; `code` is the refusal's, or None. The query is never logged: it holds the seal."""
        if self.mode == "none":
            return
        if self.mode == "work" and not (self._admits(code) if code else tier == "render"):
            return
        path = scope["raw_path"].decode("latin-1")[:_LONGEST_PATH]
        log.info("answered", method=scope["method"], path=path, tier=tier, code=code, **fields)

    def write_unparsable(self, request_id: str) -> None:
        """Log a request that is not HTTP, as a refusal with the code `malformed`."""
        if self.mode == "all" or (self.mode == "work" and self._admits("malformed")):
            log.info("answered", status=400, code="malformed", cause="not an HTTP request", request=request_id)

    def _admits(self, code: str) -> bool:
        """Count a refusal; return whether it is among the first of its second."""
        self._refusals[code] += 1
        if self._refusals[code] == 1:
            call_later = self._call_later or asyncio.get_running_loop().call_later
            call_later(_WINDOW_S, lambda: self._end_window(code))
        return self._refusals[code] <= _LINES_PER_WINDOW

    def _end_window(self, code: str) -> None:
        not_logged = self._refusals.pop(code) - _LINES_PER_WINDOW
        if not_logged > 0:
            log.info("refusals not logged", code=code, count=not_logged)
