"""One worker: a process that locks itself down, then probes, examines and renders the originals that it receives.

    python -I -m proxy.pixels.worker SOCKET_FD PARENT_PID MEMORY_BYTES CPU_S DERIVATIVE_BYTES FORMATS FONTS COUNT FACES

It is started by exec, never forked after use, with an environment of its own and no descriptor but its socket. It keeps
nothing between two requests. An unexpected exception ends it, with a traceback on stderr: the pool has other workers,
and a process in an unknown state must not be used again.
"""

import contextlib
import os
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyvips

from proxy.core.errors import DarkroomError, LimitExceeded
from proxy.core.media.formats import SVG, readable
from proxy.core.planning.plan import Plan, Trim
from proxy.pixels import boot, examine, extras, faces, lettering, probe, render, source, trim
from proxy.workers import fonts, framing, messages, sandbox

_NICENESS = 5
"""The server's event loop has priority: a cache hit never waits for a decoder. On an idle core it costs nothing."""
_OOM_SCORE = "500"
"""If memory runs out, the kernel kills a worker and not the server (proc_pid_oom_score_adj(5))."""


def main() -> None:
    """Run one worker, with the process's arguments, until its socket ends."""
    fd, parent_pid, memory_bytes, cpu_s, derivative_bytes = map(int, sys.argv[1:6])
    formats, font_folder, font_count, with_faces = sys.argv[6:10]
    folder = Path(font_folder) if font_folder else None
    limits = sandbox.ResourceLimits(memory_bytes, cpu_s, derivative_bytes)
    sandbox.die_with_parent(parent_pid)
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):  # without /proc, the kernel may kill the server instead
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    with socket.socket(fileno=fd) as server_socket:
        try:
            libvips = boot.start(readable(formats), fonts=sandbox.available().landlock is not None)
            if with_faces:
                faces.enable()
            fonts.check_copies(folder, int(font_count))
        except (boot.UnsupportedLibvips, extras.NotInstalled, faces.NoDetector, fonts.InvalidFonts) as error:
            raise SystemExit(str(error)) from None
        fingerprint = extras.fingerprint(faces.version() if with_faces else None)
        lettering.open_fonts(folder)
        # Cairo opens a font again for every size that an SVG uses.
        files = fonts.font_files(folder) if SVG in readable(formats) else []
        sandbox_features = sandbox.lock_down(limits, files)
        # After the lock-down: a restriction that rendering cannot do with shows here, before any request.
        boot.warm_up()
        framing.send(server_socket, messages.hello(libvips, fingerprint, sandbox_features))
        serve(server_socket, derivative_bytes)


def serve(server_socket: socket.socket, derivative_bytes: int) -> None:
    """Answer requests one after the other until the pool closes the connection."""
    while (request := framing.receive_request(server_socket)) is not None:
        header, fds = request
        try:
            answer, body = _answer(header, fds, derivative_bytes)
        except DarkroomError as error:
            answer, body = messages.refusal(error), b""
        except UnicodeDecodeError as error:  # pyvips fails to decode a message or a name of libvips
            answer, body = messages.refusal(source.to_refusal(error)), b""
        finally:
            for fd in fds:
                os.close(fd)
        framing.send(server_socket, answer, body)


def _answer(header: dict[str, Any], fds: list[int], derivative_bytes: int) -> tuple[dict[str, Any], bytes]:
    fd, *watermark_fds = fds
    pyvips.vips_lib.vips_error_clear()  # otherwise messages about the previous picture are added to those of this one
    os.lseek(fd, 0, os.SEEK_SET)
    if "probe" in header:
        return {"facts": probe.probe(fd, header["probe"]).to_dict()}, b""
    if "examine" in header:
        return messages.examination(examine.examine(fd))
    if "trim" in header:
        return {"box": asdict(trim.find_content(fd, Trim.from_dict(header["trim"])))}, b""
    plan = Plan.from_dict(header["render"])
    start_s = time.perf_counter()
    derivative = render.render(fd, plan, *watermark_fds)
    _check_size(len(derivative.body), derivative_bytes)
    fields = {"format": derivative.format.name, "width": derivative.width, "height": derivative.height}
    return {"picture": fields | {"render_s": time.perf_counter() - start_s}}, derivative.body


def _check_size(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise LimitExceeded(
            f"The derivative has {size_bytes} bytes; the limit is {limit_bytes}. Specify a smaller w or h, "
            "or a format with a lossy quality."
        )


if __name__ == "__main__":
    main()
