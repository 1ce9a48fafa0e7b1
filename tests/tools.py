"""Programs that some tests run: compilers of the languages in the documentation."""

import os
import shutil

import pytest

PACKAGES = {"go": "golang-go", "javac": "default-jdk-headless", "node": "nodejs"}
"""The Debian packages of the programs."""


def require(program: str) -> None:
    """Skip the test if a program is not installed; with CI=true, fail."""
    if shutil.which(program) is not None:
        return
    if in_ci():
        pytest.fail(f"{program} is not installed. Run `python -m tests.servers.install`.")
    pytest.skip(f"{program} is not installed")


def in_ci() -> bool:
    """Return whether the tests run in continuous integration, where nothing may be skipped unnoticed."""
    return os.environ.get("CI") == "true"
