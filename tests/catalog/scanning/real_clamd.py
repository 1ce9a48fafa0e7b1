"""A real clamd with one signature of our own, on a private socket."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.catalog.scanning.eicar import EICAR

SIGNATURE = "Darkroom.Eicar.UNOFFICIAL"
START_S = 60.0
_CONFIGURATION = """
Foreground yes
LocalSocket {folder}/clamd.sock
DatabaseDirectory {folder}/signatures
TemporaryDirectory {folder}
StreamMaxLength 5M
"""


@contextmanager
def real_clamd(log: Path) -> Iterator[str]:
    """Run clamd and yield its address; skip the test where it is not installed. A socket's path has to be short."""
    program = shutil.which("clamd") or shutil.which("clamd", path="/usr/sbin")
    if program is None:
        pytest.skip("clamd is not installed: apt-get install -y clamav-daemon")
    with TemporaryDirectory(prefix="clamd-") as name, (log / "clamd.log").open("wb") as output:
        folder = Path(name)
        folder.chmod(0o755)
        signatures = folder / "signatures"
        signatures.mkdir()
        (signatures / "local.ndb").write_text(f"Darkroom.Eicar:0:*:{EICAR.hex()}\n")
        configuration = folder / "clamd.conf"
        configuration.write_text(_CONFIGURATION.format(folder=folder))
        process = subprocess.Popen([program, f"--config-file={configuration}"], stdout=output, stderr=output)
        try:
            _wait(process, folder / "clamd.sock", log / "clamd.log")
            yield f"unix://{folder}/clamd.sock"
        finally:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
    ends = time.monotonic() + START_S
    while not _listens(path):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends, log.read_text()
        time.sleep(0.05)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return path.exists() and probe.connect_ex(str(path)) == 0
