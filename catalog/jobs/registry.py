"""Handlers of jobs by kind."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from catalog.core.job_state import KIND_PATTERN
from catalog.jobs.running_job import RunningJob

DEADLINE_S: Final = 3_600.0
_KIND = re.compile(KIND_PATTERN)

Handle = Callable[[RunningJob], Awaitable[Mapping[str, Any]]]
"""Does the work of one job and returns its result."""


@dataclass(frozen=True, slots=True)
class Handler:
    """The work of one kind, and how many seconds one attempt may take."""

    handle: Handle
    deadline_s: float = DEADLINE_S


@dataclass(frozen=True, slots=True)
class HandlerRegistry:
    """All kinds that a process can run."""

    handlers: dict[str, Handler] = field(default_factory=dict)

    def register(self, kind: str, handle: Handle, *, deadline_s: float = DEADLINE_S) -> None:
        """Add a kind. Raise ValueError if it is registered already or is not a name of a kind."""
        if kind in self.handlers or not _KIND.fullmatch(kind):
            raise ValueError(f"the kind {kind!r} is registered twice, or does not match {KIND_PATTERN}")
        self.handlers[kind] = Handler(handle, deadline_s)

    def find(self, kind: str) -> Handler | None:
        """Return the handler of a kind, or None."""
        return self.handlers.get(kind)
