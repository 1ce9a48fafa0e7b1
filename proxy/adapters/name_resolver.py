"""Names of hosts to addresses: the system's resolver in threads of its own, shared fairly between tenants.

Theory. getaddrinfo(3) cannot be cancelled, and a name server that does not answer holds its thread for up to half a
minute, long after the request has given up. So what is bounded is what an owner (a tenant's set of sources) occupies:
`_PER_OWNER` threads of `_THREADS`, counted until the look-up has really ended. Requests for a name that is being looked
up share that look-up, and wait `_DEADLINE_S` at most. A tenant whose names do not resolve then delays itself;
it takes eight such tenants at once to delay others. The queue in front of all sources is fair in turn, but does not
bound this: its permits are returned when a request gives up, and the thread goes on.

The owner is a context variable, because aiohttp calls the resolver by an interface of its own.
"""

import asyncio
import socket
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS = 32
_PER_OWNER = 4
_DEADLINE_S = 3.0

_owner: ContextVar[Hashable] = ContextVar("darkroom_name_owner", default=None)

_Question = tuple[str, int, int]
_Answer = list[tuple[Any, ...]]


@contextmanager
def resolving_for(owner: Hashable) -> Iterator[None]:
    """Count look-ups inside as the owner's."""
    token = _owner.set(owner)
    try:
        yield
    finally:
        _owner.reset(token)


class NameResolver(AbstractResolver):
    """The system's resolver; addresses that are not `allowed` are left out. Close it at the end."""

    def __init__(
        self,
        allowed: Callable[[str], bool] = lambda _: True,
        look_up: Callable[..., _Answer] = socket.getaddrinfo,
    ) -> None:
        self._allowed = allowed
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(_THREADS, "darkroom-names")
        self._running: dict[_Question, asyncio.Task[_Answer]] = {}
        self._permits: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See `AbstractResolver`. Raise OSError if there is no such name, no allowed address, or no answer in time."""
        async with asyncio.timeout(_DEADLINE_S):
            answer = await asyncio.shield(self._start((host, port, family)))
        results = [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for kind, _, protocol, _, address in answer
            if self._allowed(str(address[0]))
        ]
        if not results:
            raise NoPublicAddressError("no public address")
        return results

    async def close(self) -> None:
        """Start no further look-up."""
        for task in self._running.values():
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, question: _Question) -> "asyncio.Task[_Answer]":
        """Return the look-up of a name that runs, or start it."""
        task = self._running.get(question)
        if task is None:
            task = self._running[question] = asyncio.create_task(self._ask(question, _owner.get()))
            task.add_done_callback(partial(self._end, question))
        return task

    async def _ask(self, question: _Question, owner: Hashable) -> _Answer:
        permits = self._permits.setdefault(owner, asyncio.Semaphore(_PER_OWNER))
        call = partial(self._look_up, *question, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        async with permits:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _end(self, question: _Question, task: "asyncio.Task[_Answer]") -> None:
        self._running.pop(question, None)
        if not task.cancelled():
            task.exception()  # the waiters may have left, and asyncio logs an error that is never retrieved


class NoPublicAddressError(OSError):
    """An address that must not be connected to; an OSError, so that another address of the same name is tried."""
