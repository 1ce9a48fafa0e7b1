"""The server's end of one worker process: start it, send it requests, end it. It belongs to one event loop.

The only way to stop waiting for a worker is to kill it: its socket then ends, and the coroutine that receives from it
raises WorkerDied. A partly read answer is never left on a socket that is used again.
"""

import asyncio
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from proxy.core.geometry import Box
from proxy.core.media.derivative import Derivative
from proxy.core.media.examination import Examination
from proxy.core.media.facts import Facts
from proxy.core.planning.plan import Plan, Trim
from proxy.workers import framing, messages
from proxy.workers.sandbox import ResourceLimits

_LOG = logging.getLogger("darkroom.pixels")

WORKER = (sys.executable, "-I", "-m", "proxy.pixels.worker")

_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    # Otherwise each thread reserves an arena of its own and returns little of it. Measured: with this setting, no
    # trim or mmap threshold changes the resident memory after a job (57 MB) or its peak.
    "MALLOC_ARENA_MAX": "2",
    "VIPS_CONCURRENCY": "1",
    # A sandboxed worker has no disk: libvips must never choose a temporary file.
    "VIPS_DISC_THRESHOLD": "1000g",
}
"""The whole environment of a worker; it contains no secret of the server."""

_PIPE_BYTES = 65_536
"""Capacity of the stderr pipe (pipe(7)). It never blocks the worker: what does not fit is lost."""
_STDERR_BYTES = 4_096
_FIRST_POLL_S, _LAST_POLL_S = 0.002, 0.5
_EXIT_WAIT_S = 1.0
"""How long a process that closed its socket may take to end, so that its exit status and its stderr can be read."""


class WorkerStartError(Exception):
    """A worker does not start; the message contains what it wrote to stderr."""


@dataclass(slots=True, eq=False)
class Process:
    """One worker: its process, the server's end of its socket, and the pipe that holds the end of its stderr."""

    popen: subprocess.Popen[bytes]
    socket: socket.socket
    stderr: int
    derivative_bytes: int
    """Largest body that is accepted from it."""
    jobs: int = 0
    refused: bool = False
    """It has refused an original, so it may have been attacked by it."""
    ended: str | None = None
    """Why it was killed or retired; None while it serves."""
    reply_pending: bool = False
    """A request was sent and its answer has not been received."""
    _timer: asyncio.TimerHandle | None = None

    @property
    def rss_bytes(self) -> int:
        """Resident memory as the kernel reports it (proc_pid_statm(5)); 0 if it does not."""
        try:
            pages = Path(f"/proc/{self.popen.pid}/statm").read_bytes().split()[1]
            return int(pages) * resource.getpagesize()
        except (OSError, IndexError):
            return 0

    async def handshake(self, deadline_s: float) -> messages.Hello:
        """Wait for the worker's first message. Raise WorkerStartError if there is none, or another one."""
        self.arm_deadline(deadline_s, "start")
        try:
            return messages.read_hello(await self._receive())
        except framing.WorkerDied as error:
            await self._wait_for_exit(_EXIT_WAIT_S)  # it closes its socket before it writes to stderr
            late = f"It was not ready within {deadline_s:g} s." if self.ended else str(error)
            raise WorkerStartError(f"A pixel worker does not start: {self.stderr_tail() or late}") from error
        finally:
            self.disarm()

    def arm_deadline(self, after_s: float, reason: str) -> None:
        """Kill the worker after a while unless `disarm` is called before; replaces an earlier deadline."""
        self.disarm()
        self._timer = asyncio.get_running_loop().call_later(after_s, self.kill, reason)

    def disarm(self) -> None:
        """Cancel the last `arm_deadline`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def probe(self, fd: int, page: int = 0) -> Facts:
        """Read the header of an original. Raise the worker's refusal, or WorkerDied."""
        return messages.read_facts(await self._request(messages.probe_request(page), [fd]))

    async def examine(self, fd: int) -> Examination:
        """Decode an original to its end and describe it. Raise the worker's refusal, or WorkerDied."""
        message = await self._request(messages.examine_request(), [fd], messages.EXAMINATION_BYTES)
        return messages.read_examination(message, os.fstat(fd).st_size)

    async def trim(self, fd: int, trim: Trim) -> Box:
        """Return the part of `trim.crop` that is inside the border. Raise the worker's refusal, or WorkerDied."""
        return messages.read_box(await self._request(messages.trim_request(trim), [fd]), trim)

    async def render(self, fd: int, plan: Plan, watermark_fd: int | None = None) -> tuple[Derivative, float]:
        """Render `plan`. Return the derivative and the worker's own time in seconds.

        Raise the worker's refusal, or WorkerDied.
        """
        fds = [fd] if watermark_fd is None else [fd, watermark_fd]
        max_bytes = messages.max_body_bytes(plan, self.derivative_bytes)
        return messages.read_picture(await self._request(messages.render_request(plan), fds, max_bytes), plan)

    async def _request(self, request: bytes, fds: list[int], max_body_bytes: int = 0) -> framing.Message:
        self.stderr_tail()
        self.reply_pending = True
        framing.send_request(self.socket, request, fds)
        message = await self._receive(max_body_bytes)
        self.reply_pending = False
        self.refused |= messages.is_refusal(message)
        return message

    async def _receive(self, max_body_bytes: int = 0) -> framing.Message:
        return await framing.receive(asyncio.get_running_loop(), self.socket, max_body_bytes)

    def stderr_tail(self) -> str:
        """Return the end of what it wrote to stderr since the last call, as one printable line."""
        try:
            text = os.read(self.stderr, _PIPE_BYTES)[-_STDERR_BYTES:].decode("utf-8", "replace")
        except OSError:
            return ""
        line = " | ".join(text.strip().splitlines())
        return "".join(letter for letter in line if letter.isprintable())

    def kill(self, reason: str) -> None:
        """End the process at once. Of several reasons the first one is kept."""
        if self.ended is None:
            self.ended = reason
            self.popen.kill()
            # A process in uninterruptible sleep ends later; the coroutine that receives need not wait for that.
            self.socket.shutdown(socket.SHUT_RDWR)

    async def was_killed(self) -> bool:
        """Return whether a process that closed its socket was ended by a SIGKILL that the server did not send.

        The sender is the kernel's OOM killer, or an operator. A hostile worker can pretend it by killing itself.
        """
        if self.ended is None:
            await self._wait_for_exit(_EXIT_WAIT_S)
        return self.ended is None and self.popen.returncode == -signal.SIGKILL

    async def reap(self) -> None:
        """Wait until the killed process has ended, then close the server's ends of socket and pipe."""
        await self._wait_for_exit(None)
        if tail := self.stderr_tail():
            _LOG.warning("A pixel worker wrote to stderr before it ended: %s", tail)
        self.socket.close()
        os.close(self.stderr)

    async def _wait_for_exit(self, timeout_s: float | None) -> None:
        deadline = None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
        pause_s = _FIRST_POLL_S
        while self.popen.poll() is None and (deadline is None or asyncio.get_running_loop().time() < deadline):
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_POLL_S)


def start(command: tuple[str, ...], limits: ResourceLimits, arguments: tuple[str, ...] = ()) -> Process:
    """Start a worker without waiting for its hello. Raise WorkerStartError if the system lacks a resource.

    Takes about a millisecond: vfork(2) and exec, independent of the server's size. Must be called in the event loop's
    own thread, because PR_SET_PDEATHSIG kills the worker when the *thread* that started it ends.
    """
    try:
        return _exec(command, limits, arguments)
    except OSError as error:
        raise WorkerStartError(f"A pixel worker does not start: {error.strerror}.") from error


def _exec(command: tuple[str, ...], limits: ResourceLimits, arguments: tuple[str, ...]) -> Process:
    with ExitStack() as undo:
        server_end, worker_end = socket.socketpair()
        undo.callback(server_end.close)
        with worker_end:
            server_end.settimeout(0)
            stderr_read, stderr_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            undo.callback(os.close, stderr_read)
            numbers = (worker_end.fileno(), os.getpid(), limits.memory_bytes, limits.cpu_s, limits.derivative_bytes)
            try:
                popen = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [*command, *map(str, numbers), *arguments],
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
        return Process(popen, server_end, stderr_read, limits.derivative_bytes)
