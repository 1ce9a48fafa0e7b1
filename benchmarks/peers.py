"""Other image servers: thumbor and imgproxy, if they are installed, with a folder of originals.

thumbor: install it with pip into its own environment, and name its program in THUMBOR. imgproxy: build it with
`go build ./cli` in its source, and name the program in IMGPROXY.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.servers import free_port, start

Develop = Callable[[str, int, str, int], bytes]
"""From a file's name, the longest side, format and quality to the body."""
_THUMBOR = """
LOADER = "thumbor.loaders.file_loader"
FILE_LOADER_ROOT_PATH = {folder!r}
STORAGE = "thumbor.storages.no_storage"
"""
_TIMEOUT_S = 60.0


def open_peers(stack: ExitStack, home: Path, folder: Path) -> dict[str, Develop]:
    """Start the installed servers; they stop with the stack."""
    servers = {"thumbor": _thumbor, "imgproxy": _imgproxy}
    return {
        name: opened(stack, program, home, folder)
        for name, opened in servers.items()
        if (program := os.environ.get(name.upper()) or shutil.which(name))
    }


def _thumbor(stack: ExitStack, program: str, home: Path, folder: Path) -> Develop:
    port, configuration = free_port(), home / "thumbor.conf"
    configuration.write_text(_THUMBOR.format(folder=str(folder)), encoding="utf-8")
    command = [program, "-p", str(port), "-c", str(configuration)]
    stack.enter_context(start(command, port, home / "thumbor.log", os.environ))

    def develop(name: str, side: int, output: str, quality: int) -> bytes:
        return _get(port, f"/unsafe/fit-in/{side}x{side}/filters:format({output}):quality({quality})/{name}")

    return develop


def _imgproxy(stack: ExitStack, program: str, home: Path, folder: Path) -> Develop:
    port = free_port()
    settings = {"IMGPROXY_BIND": f"127.0.0.1:{port}", "IMGPROXY_LOCAL_FILESYSTEM_ROOT": str(folder)}
    stack.enter_context(start([program], port, home / "imgproxy.log", {**os.environ, **settings}))

    def develop(name: str, side: int, output: str, quality: int) -> bytes:
        return _get(port, f"/insecure/rs:fit:{side}:{side}/q:{quality}/plain/local:///{name}@{output}")

    return develop


def _get(port: int, target: str) -> bytes:
    answer = httpx.get(f"http://127.0.0.1:{port}{target}", timeout=_TIMEOUT_S)
    answer.raise_for_status()
    return answer.content
