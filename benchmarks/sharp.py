"""sharp (npm), told to do the same work; installed beside the figures on first use."""

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
    """One picture: sharp's methods with their arguments, in order."""

    input: str
    output: str
    operations: Sequence[Sequence[Any]]


def run(tasks: Sequence[Task]) -> None:
    """Do all tasks in one process of node; Missing tells what is not installed."""
    home = _installed()
    lines = "".join(json.dumps(asdict(task)) + "\n" for task in tasks)
    done = subprocess.run(
        ["node", str(home / "sharp.mjs")],
        input=lines,
        text=True,
        stderr=subprocess.PIPE,
        check=False,
        timeout=_WORK_S,
    )
    if done.returncode:
        raise Missing(f"sharp failed:\n{done.stderr[-2_000:]}")


def _installed() -> Path:
    """Give the folder that has sharp and the script."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("node and npm missing: apt-get install -y --no-install-recommends nodejs npm")
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "darkroom-bench" / f"sharp-{VERSION}"
    if not (home / "node_modules" / "sharp").is_dir():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}', encoding="utf-8")
        command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", f"sharp@{VERSION}"]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, timeout=_INSTALL_S)
        if done.returncode:
            raise Missing(f"sharp does not install:\n{done.stderr[-2_000:]}")
    shutil.copy(_SCRIPT, home / "sharp.mjs")
    return home
