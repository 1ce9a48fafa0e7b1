"""sharp (npm) with the same operations; it is installed into the user's cache folder on first use."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.servers import Missing

VERSION = "0.35.5"
_SCRIPT = Path(__file__).with_name("sharp.mjs")
_INSTALL_S, _WORK_S = 300, 600


@dataclass(frozen=True, slots=True)
class Task:
    """One picture: sharp's methods and their arguments, in order."""

    input: str
    output: str
    operations: Sequence[Sequence[Any]]


def run(tasks: Sequence[Task]) -> None:
    """Run all tasks in one process of node; raise Missing if sharp is not installed or fails."""
    home = _installed()
    lines = "".join(json.dumps(asdict(task)) + "\n" for task in tasks)
    completed = subprocess.run(
        ["node", str(home / "sharp.mjs")],
        input=lines,
        text=True,
        stderr=subprocess.PIPE,
        check=False,
        timeout=_WORK_S,
    )
    if completed.returncode:
        raise Missing(f"sharp failed:\n{completed.stderr[-2_000:]}")


def _installed() -> Path:
    """Return the folder with sharp and the script."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing(
            "node or npm is not installed. As root, run apt-get install -y --no-install-recommends nodejs npm."
        )
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "darkroom-bench" / f"sharp-{VERSION}"
    if not (home / "node_modules" / "sharp").is_dir():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}', encoding="utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", f"sharp@{VERSION}"]
        completed = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, timeout=_INSTALL_S)
        if completed.returncode:
            raise Missing(f"sharp cannot be installed:\n{completed.stderr[-2_000:]}")
    shutil.copy(_SCRIPT, home / "sharp.mjs")
    return home
