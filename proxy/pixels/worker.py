"""One worker: a process that closes itself, then probes and renders what it is handed.

    python -I -m proxy.pixels.worker SOCKET_FD PARENT_PID MEMORY_BYTES CPU_S FORMATS FONTS HOW_MANY FACES

It is exec'd, never forked after use, with an environment of its own and no descriptor but its socket. It
keeps nothing between two requests. Whatever it didn't foresee ends it, with a traceback on stderr: the pool
has others, and a process in an unknown state is worth less than a fresh one.
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

from proxy.core.errors import DarkroomError
from proxy.core.media.formats import SVG, readable
from proxy.core.planning.plan import Plan, Trim
from proxy.pixels import boot, extras, faces, lettering, probe, render, trim
from proxy.workers import fonts, framing, messages, sandbox

_NICENESS = 5
"""The server's own loop comes first: a hit never waits for a decoder. On an idle core it costs nothing."""
_OUT_OF_MEMORY_SCORE = "500"
"""When memory ends, the kernel takes a worker and not the server (proc_pid_oom_score_adj(5))."""


def main() -> None:
    """Run one worker, from its arguments to the end of its socket."""
    fd, parent_pid, memory_bytes, cpu_s = map(int, sys.argv[1:5])
    formats, font_folder, how_many, with_faces = sys.argv[5:9]
    folder = Path(font_folder) if font_folder else None
    sandbox.die_with_parent(parent_pid)
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):  # no /proc: the server then dies as likely as we
        Path("/proc/self/oom_score_adj").write_text(_OUT_OF_MEMORY_SCORE, encoding="ascii")
    with socket.socket(fileno=fd) as ours:
        try:
            libvips = boot.start(readable(formats), letters=sandbox.available().landlock is not None)
            if with_faces:
                faces.enlist()
            fonts.check_copies(folder, int(how_many))
        except (boot.UnsupportedLibvips, extras.NotInstalled, faces.NoDetector, fonts.InvalidFonts) as wrong:
            raise SystemExit(str(wrong)) from None
        lettering.open_fonts(folder)
        # Cairo opens a font again for every size that a drawing asks for.
        opened = fonts.font_files(folder) if SVG in readable(formats) else []
        sandbox_features = sandbox.lock_down(sandbox.Ceilings(memory_bytes, cpu_s), opened)
        # Behind the sandbox_features: a wall that pixels cannot do without shows here, before any request.
        boot.warm_up()
        framing.send(ours, messages.hello(libvips, sandbox_features))
        serve(ours)


def serve(ours: socket.socket) -> None:
    """Answer requests, one after the other, until the pool hangs up."""
    while (request := framing.receive_request(ours)) is not None:
        header, fds = request
        try:
            told, body = _answer(header, fds)
        except DarkroomError as refused:
            told, body = messages.refusal(refused), b""
        finally:
            for fd in fds:
                os.close(fd)
        framing.send(ours, told, body)


def _answer(header: dict[str, Any], fds: list[int]) -> tuple[dict[str, Any], bytes]:
    fd, *others = fds
    pyvips.vips_lib.vips_error_clear()  # or what was wrong with another picture would be told of this one
    os.lseek(fd, 0, os.SEEK_SET)
    if "probe" in header:
        return {"facts": probe.probe(fd, header["probe"]).to_dict()}, b""
    if "trim" in header:
        return {"box": asdict(trim.find_picture(fd, Trim.from_dict(header["trim"])))}, b""
    plan = Plan.from_dict(header["render"])
    began = time.perf_counter()
    made = render.render(fd, plan, others[0] if others else None)
    told = {"format": made.format.name, "width": made.width, "height": made.height}
    return {"picture": told | {"render_s": time.perf_counter() - began}}, made.body


if __name__ == "__main__":
    main()
