"""A process that has imported what the `darkroom` command needs, and forks one for each time it is run.

Importing takes most of a short command's second; what is run is a process of its own all the same, with its own
environment, folder, output and end. One line of JSON a run goes in, one with its exit code comes out.
"""

import atexit
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

_FIRST = 3
"""The first descriptor beyond the three standard ones."""


class Warm:
    """Runs commands, one after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, words: list[str], environment: dict[str, str], folder: Path) -> "subprocess.CompletedProcess[str]":
        """Run the command to its end."""
        with TemporaryDirectory() as place:
            out, err = Path(place) / "out", Path(place) / "err"
            asked = {
                "words": words,
                "environment": environment,
                "folder": str(folder),
                "out": str(out),
                "err": str(err),
            }
            sent, answers = _pipes(self._process)
            sent.write(json.dumps(asked) + "\n")
            sent.flush()
            code = json.loads(answers.readline())
            return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End it."""
        for pipe in _pipes(self._process):
            pipe.close()
        self._process.wait()


@cache
def warm() -> Warm:
    """Give the one of this run, which ends with it."""
    process = Warm()
    atexit.register(process.close)
    return process


def _pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("a process without pipes")
    return process.stdin, process.stdout


def _serve() -> None:
    """Fork for every line that comes in."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(asked)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{json.dumps(code)}\n")
        sys.stdout.flush()


def _become(asked: dict[str, object]) -> None:
    """Be the command from here to the end."""
    os.environ.clear()
    os.environ.update(asked["environment"])  # type: ignore[call-overload]
    os.chdir(str(asked["folder"]))
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for stream, fd in ((0, os.open(os.devnull, os.O_RDONLY)), (1, os.open(str(asked["out"]), flags, 0o600)), (2, -1)):
        os.dup2(fd if fd >= 0 else os.open(str(asked["err"]), flags, 0o600), stream)
    os.closerange(_FIRST, 256)
    sys.argv = ["darkroom", *asked["words"]]  # type: ignore[misc]
    code: object = 1
    try:
        cli.main()
        code = 0
    except SystemExit as end:
        code = 0 if end.code is None else end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    import proxy.backends  # noqa: F401 - all are imported to have been imported
    from catalog.cli import main as cli

    _serve()
