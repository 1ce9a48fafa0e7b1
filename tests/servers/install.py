"""Install the programs that the tests run: `python -m tests.servers.install`.

As root on Debian or Ubuntu, install the missing packages. Elsewhere, print the command that installs them and exit
with status 1. A server that the environment names (`DARKROOM_TEST_*_URL`) needs no package. The compilers of the
documentation's examples and clamd are installed only with CI=true; without them, their tests are skipped.
"""

import os
import shutil
import subprocess
import sys

from tests.servers import postgres, s3
from tests.tools import PACKAGES, in_ci


def missing() -> list[str]:
    """Return the Debian packages that the tests need and that are not installed."""
    servers = {
        "DARKROOM_TEST_DATABASE_URL": (postgres.binaries() is not None, ["postgresql", "postgresql-contrib"]),
        "DARKROOM_TEST_REDIS_URL": (shutil.which("redis-server") is not None, ["redis-server"]),
        "DARKROOM_TEST_S3_URL": (
            all(map(shutil.which, s3.PROGRAMS)),
            ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"],
        ),
    }
    missing_servers = [
        package
        for variable, (installed, packages) in servers.items()
        if not installed and not os.environ.get(variable)
        for package in packages
    ]
    tools = [package for program, package in PACKAGES.items() if in_ci() and shutil.which(program) is None]
    scanner = in_ci() and shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None
    return missing_servers + tools + ["clamav-daemon"] * scanner


def main() -> int:
    """Install the packages, or print how to; return the process's exit status."""
    packages = missing()
    if not packages:
        return 0
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        _print("The tests need programs that are not installed. As root on Debian or Ubuntu, run:\n")
        _print(f"    apt-get update && {' '.join(install)}\n")
        _print("Or name running servers: DARKROOM_TEST_DATABASE_URL, DARKROOM_TEST_REDIS_URL, DARKROOM_TEST_S3_URL.")
        return 1
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], install):
        if (status := subprocess.run(command, env=environment, check=False).returncode) != 0:
            _print(f"{' '.join(command)}: exit status {status}")
            return status
    return 0


def _print(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
