"""Install what the servers of the tests need: `python -m tests.servers.install`.

As root on Debian it installs what is missing; elsewhere it says the one line that does, and fails. A server that the
environment names (`DARKROOM_TEST_*_URL`) needs nothing.
"""

import os
import shutil
import subprocess
import sys

from tests.servers import postgres, s3


def missing() -> list[str]:
    """Name the Debian packages without which a server cannot be started."""
    wanted = {
        "DARKROOM_TEST_DATABASE_URL": (postgres.binaries() is not None, ["postgresql", "postgresql-contrib"]),
        "DARKROOM_TEST_REDIS_URL": (shutil.which("redis-server") is not None, ["redis-server"]),
        "DARKROOM_TEST_S3_URL": (
            all(map(shutil.which, s3.PROGRAMS)),
            ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"],
        ),
    }
    return [
        package
        for variable, (there, packages) in wanted.items()
        if not there and not os.environ.get(variable)
        for package in packages
    ]


def main() -> int:
    """Install, or say how; the process's exit status."""
    packages = missing()
    if not packages:
        return 0
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        _tell("The tests need servers that are not here. As root on Debian or Ubuntu:\n")
        _tell(f"    apt-get update && {' '.join(install)}\n")
        _tell("Or name your own: DARKROOM_TEST_DATABASE_URL, DARKROOM_TEST_REDIS_URL, DARKROOM_TEST_S3_URL.")
        return 1
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], install):
        if (status := subprocess.run(command, env=quiet, check=False).returncode) != 0:
            _tell(f"{' '.join(command)}: status {status}")
            return status
    return 0


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
