"""A missing program skips its tests, but not in continuous integration."""

import pytest

from tests.servers import install
from tests.tools import PACKAGES, require


def test_a_missing_program_skips_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="go is not installed"):
        require("go")
    assert set(install.missing()).isdisjoint(PACKAGES.values())


def test_a_missing_program_fails_in_ci_and_is_installed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="go is not installed"):
        require("go")
    assert set(install.missing()) >= set(PACKAGES.values())
