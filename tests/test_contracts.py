"""The import contracts hold for every folder: a wrong import in any new file breaks one.

A copy of the source gets one new file for each folder and each kind of wrong import. No module of the source imports
a new file, so each line of the report is about one of them, and one run of import-linter judges them all.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).parent.parent
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS: list[dict[str, Any]] = [
    contract for contract in CONFIG["contracts"] if contract["type"] == "layers" and "containers" in contract
]
STDLIB_IO = {
    "asyncio", "concurrent", "ctypes", "http", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "random",
    "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading",
    "time", "urllib.request",
}  # fmt: skip
"""Modules of the standard library that do I/O, read a clock or draw random numbers."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The place of a package in a layers contract."""

    package: str
    above: str | None
    """A package or module of the layer above, which the package must not import."""


def folders() -> list[str]:
    """Return every package of the source, as a dotted name."""
    files = (path for root in ("proxy", "catalog") for path in (ROOT / root).rglob("*.py"))
    return sorted({".".join(path.parent.relative_to(ROOT).parts) for path in files})


def layers() -> Iterator[Layer]:
    """Return the layers of all contracts."""
    for contract in LAYERS:
        [container] = contract["containers"]
        above: str | None = None
        for line in contract["layers"]:
            names = [f"{container}.{name.strip(' ()')}" for name in line.split("|")]
            present = [name for name in names if exists(name)]
            yield from (Layer(name, above) for name in present)
            above = present[0]


def exists(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def layer_of(folder: str) -> Layer | None:
    """Return the most specific layer that a folder is in."""
    matching = [layer for layer in layers() if f"{folder}.".startswith(f"{layer.package}.")]
    return max(matching, key=lambda layer: len(layer.package), default=None)


@dataclass(frozen=True, slots=True)
class Violation:
    """A wrong import, and the contract that it breaks."""

    kind: str
    folder: str
    imported: str
    contract: str

    @property
    def module(self) -> str:
        return f"{self.folder}.new_{self.kind}"


def violations(folder: str) -> Iterator[Violation]:
    """Return a wrong import of each kind that is wrong in a folder."""

    def inside(*packages: str) -> bool:
        return any(f"{folder}.".startswith(f"{package}.") for package in packages)

    if not inside("proxy.pixels"):
        yield Violation("decoder", folder, "pyvips", "Only the sandbox imports libvips and other decoders")
        yield Violation("sandbox", folder, "proxy.pixels.render", "Only the demo imports the sandbox's code")
    if not inside("proxy.http") and not inside("catalog.api"):
        yield Violation("web", folder, "starlette", "Only HTTP rooms and the wiring import Starlette and uvicorn")
    adapters = "Adapters do not import each other" if inside("proxy.adapters") else "Only backends.py imports adapters"
    yield Violation("adapter", folder, "proxy.adapters.redis", adapters)
    if inside("proxy"):
        yield Violation("plane", folder, "catalog.app", "The catalog may import the proxy")
    if inside("proxy.core", "catalog.core"):
        yield Violation("impure", folder, "asyncio", "The core imports no package and does no I/O")
    layer = layer_of(folder)
    if layer is None:
        yield Violation("nameless", folder, "typing", "Layers of")
    elif layer.above:
        yield Violation("upward", folder, layer.above, "Layers of")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what import-linter prints about each contract, with all wrong imports in place."""
    root = tmp_path_factory.mktemp("source")
    for package in ("proxy", "catalog"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    assert "0 broken" in lint(root)
    for violation in (violation for folder in folders() for violation in violations(folder)):
        file = root / f"{violation.module.replace('.', '/')}.py"
        file.write_text(f'"""A new file."""\n\nimport {violation.imported}\n')
    text = lint(root).partition("Broken contracts")[2]
    parts = re.split(r"^(.+)\n-{4,}$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def lint(root: Path) -> str:
    """Run import-linter on a source tree; return its report."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    environment = {"COLUMNS": "400", "PYTHONPATH": str(root), "PATH": ""}
    arguments = ["--no-cache", "--no-logo"]
    completed = subprocess.run(
        [*command, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    return completed.stdout


@pytest.mark.parametrize("folder", folders())
def test_a_wrong_import_in_a_new_file_breaks_a_contract(report: dict[str, str], folder: str) -> None:
    for violation in violations(folder):
        broken = "".join(text for name, text in report.items() if name.startswith(violation.contract))
        assert re.search(rf"{re.escape(violation.module)}\b", broken), violation


def test_every_kind_of_wrong_import_is_tried() -> None:
    kinds = {violation.kind for folder in folders() for violation in violations(folder)}
    assert kinds == {"decoder", "sandbox", "web", "plane", "impure", "adapter", "nameless", "upward"}


def test_every_folder_has_a_layer() -> None:
    """A folder that no layers contract names breaks the contract, which is exhaustive."""
    assert all(contract["exhaustive"] for contract in LAYERS)
    assert {folder for folder in folders() if layer_of(folder) is None} == {"proxy", "catalog"}


def test_the_core_imports_only_the_pure_part_of_the_standard_library() -> None:
    graph = grimp.build_graph("proxy", "catalog", include_external_packages=True, cache_dir=None)
    core = [module for module in graph.modules if module.startswith(("proxy.core.", "catalog.core."))]
    imported = {name for module in core for name in graph.find_modules_directly_imported_by(module)}
    outside = {name for name in imported if not name.startswith(("proxy.core", "catalog.core"))}
    assert outside <= set(sys.stdlib_module_names) - STDLIB_IO
