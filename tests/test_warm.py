"""Commands that are forked from a warm process behave like processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.warm import warm


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "DARKROOM_HOME": str(folder), "DARKROOM_LOG_FORMAT": "json"}


def test_a_command_has_its_own_environment_output_and_exit_code(tmp_path: Path) -> None:
    listed = warm().run(["tenant", "list", "--json"], environment(tmp_path / "home"), tmp_path)
    assert (listed.returncode, listed.stdout, listed.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    refused = warm().run(["tenant", "list"], {"DARKROOM_PORT": "many"}, tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "DARKROOM_PORT" in refused.stderr


def test_a_started_command_is_waited_for_and_signalled(tmp_path: Path) -> None:
    process = warm().start(["serve", "--port", "0"], environment(tmp_path), tmp_path, tmp_path / "log")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.0)
    process.send_signal(signal.SIGKILL)
    assert process.wait(20.0) == process.poll() == -signal.SIGKILL


def test_commands_end_with_the_process_that_forked_them(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from tests.warm import Warm
folder = Path({str(tmp_path)!r})
print(Warm().start(["serve", "--port", "0"], {environment(tmp_path)!r}, folder, folder / "log").pid, flush=True)
os.kill(os.getpid(), 9)
"""
    killed = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, check=False
    )
    process = Path(f"/proc/{int(killed.stdout)}")
    while process.exists() and " Z " not in (process / "stat").read_text():
        time.sleep(0.01)
