"""The parent's end of one worker process: start it, ask it, end it. All of it belongs to one event loop.

There is one way to stop waiting for a worker, and that is to kill it: its socket then ends, and whoever
listens gets WorkerDied. No half-read answer is ever left on a socket that somebody else goes on using.
"""

import asyncio
import logging
import os
import resource
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from proxy.core.geometry import Box
from proxy.core.media.derivative import Derivative
from proxy.core.media.facts import Facts
from proxy.core.planning.plan import Plan, Trim
from proxy.workers import framing, messages
from proxy.workers.sandbox import Ceilings

_LOG = logging.getLogger("darkroom.pixels")

WORKER = (sys.executable, "-I", "-m", "proxy.pixels.worker")

_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    # Each thread would else reserve an arena of its own, and return little of it. Measured: with it, no
    # trim or mmap threshold changes the resident memory after a job (57 MB) or its peak.
    "MALLOC_ARENA_MAX": "2",
    "VIPS_CONCURRENCY": "1",
    # A sandboxed worker has no disc: libvips must never choose a temporary file.
    "VIPS_DISC_THRESHOLD": "1000g",
}
"""All a worker inherits; no secret of the server's is in it."""

_PIPE_BYTES = 65_536
"""What a pipe holds (pipe(7)). It never blocks the worker: what is too much is lost."""
_STDERR_BYTES = 4_096
_FIRST_REAP_S, _LAST_REAP_S = 0.002, 0.5


class WorkerStartError(Exception):
    """A worker does not start; its own last words say why."""


@dataclass(slots=True, eq=False)
class Process:
    """One worker: its process, our end of its socket, and the pipe that holds its last stderr."""

    popen: subprocess.Popen[bytes]
    socket: socket.socket
    stderr: int
    jobs: int = 0
    ended: str | None = None
    """Why it was killed or given up; None while it serves."""
    reply_pending: bool = False
    """An answer is outstanding."""
    _timer: asyncio.TimerHandle | None = None

    @property
    def rss_bytes(self) -> int:
        """Resident memory, as the kernel tells it (proc_pid_statm(5)); 0 where it doesn't."""
        try:
            pages = Path(f"/proc/{self.popen.pid}/statm").read_bytes().split()[1]
            return int(pages) * resource.getpagesize()
        except (OSError, IndexError):
            return 0

    async def handshake(self, deadline_s: float) -> messages.Hello:
        """Wait for its first words; WorkerStartError when there are none, or others."""
        self.arm_deadline(deadline_s, "start")
        try:
            return messages.read_hello(await self._receive())
        except framing.WorkerDied as died:
            why = self.stderr_tail() or (f"It is not ready after {deadline_s:g} s." if self.ended else str(died))
            raise WorkerStartError(f"A pixel worker does not start: {why}") from died
        finally:
            self.disarm()

    def arm_deadline(self, after_s: float, why: str) -> None:
        """Have it killed after a while, unless it is relaxed before; the last call counts."""
        self.disarm()
        self._timer = asyncio.get_running_loop().call_later(after_s, self.kill, why)

    def disarm(self) -> None:
        """Take the last `arm_deadline` back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def probe(self, fd: int, page: int = 0) -> Facts:
        """Let it read a header; refuses as the port's `probe`, WorkerDied when it dies of it."""
        return messages.read_facts(await self._request(messages.ask_probe(page), [fd]))

    async def trim(self, fd: int, trim: Trim) -> Box:
        """Let it look for the border; give what is left without it. Refuses and dies like `probe`."""
        return messages.read_box(await self._request(messages.ask_trim(trim), [fd]), trim)

    async def render(self, fd: int, plan: Plan, watermark_fd: int | None = None) -> tuple[Derivative, float]:
        """Let it render; give the derivative and its own seconds. Refuses and dies like `probe`."""
        fds = [fd] if watermark_fd is None else [fd, watermark_fd]
        return messages.read_picture(
            await self._request(messages.ask_render(plan), fds, messages.most_bytes(plan)), plan
        )

    async def _request(self, request: bytes, fds: list[int], most_body_bytes: int = 0) -> framing.Message:
        self.stderr_tail()
        self.reply_pending = True
        framing.send_request(self.socket, request, fds)
        message = await self._receive(most_body_bytes)
        self.reply_pending = False
        return message

    async def _receive(self, most_body_bytes: int = 0) -> framing.Message:
        return await framing.receive(asyncio.get_running_loop(), self.socket, most_body_bytes)

    def stderr_tail(self) -> str:
        """Take the end of what it wrote to stderr since it was last asked, as one line fit for a log."""
        try:
            text = os.read(self.stderr, _PIPE_BYTES)[-_STDERR_BYTES:].decode("utf-8", "replace")
        except OSError:
            return ""
        line = " | ".join(text.strip().splitlines())
        return "".join(one for one in line if one.isprintable())

    def kill(self, why: str) -> None:
        """End it at once, whatever it does; the first reason stays."""
        if self.ended is None:
            self.ended = why
            self.popen.kill()
            # A process in uninterruptible sleep dies later: who listens need not wait for that.
            self.socket.shutdown(socket.SHUT_RDWR)

    async def reap(self) -> None:
        """Wait until the killed process is gone, then close what was ours of it."""
        pause_s = _FIRST_REAP_S
        while self.popen.poll() is None:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_REAP_S)
        if words := self.stderr_tail():
            _LOG.warning("A pixel worker's last words: %s", words)
        self.socket.close()
        os.close(self.stderr)


def start(command: tuple[str, ...], ceilings: Ceilings, more: tuple[str, ...] = ()) -> Process:
    """Start a worker, without waiting for what it says; WorkerStartError when the system has no more of something.

    Takes about a millisecond: exec by vfork(2), whatever our own size. Called from the loop's own thread, for
    PR_SET_PDEATHSIG kills the worker when the *thread* that started it ends.
    """
    try:
        return _exec(command, ceilings, more)
    except OSError as error:
        raise WorkerStartError(f"A pixel worker does not start: {error.strerror}.") from error


def _exec(command: tuple[str, ...], ceilings: Ceilings, more: tuple[str, ...]) -> Process:
    with ExitStack() as undo:
        server_end, worker_end = socket.socketpair()
        undo.callback(server_end.close)
        with worker_end:
            server_end.settimeout(0)
            stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            undo.callback(os.close, stderr_read)
            arguments = (worker_end.fileno(), os.getpid(), ceilings.memory_bytes, ceilings.cpu_s)
            try:
                popen = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [*command, *map(str, arguments), *more],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr_write,
                    pass_fds=(worker_end.fileno(),),
                    env=_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,  # a terminal's Ctrl-C is the server's to handle
                )
            finally:
                os.close(stderr_write)
        undo.pop_all()
        return Process(popen, server_end, stderr_read)
