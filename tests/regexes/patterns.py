"""Every regular expression of the product, found in two ways.

* In the source: the pattern of every call of `re`, where it is a constant. A call whose pattern is not a constant has
  to be found by the second way.
* At run time: a process imports every module while `re` reports what it compiles, also patterns that are put together.

`python -m tests.regexes.patterns` is that process; it prints one JSON array per pattern.
"""

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("proxy", "catalog")
_METHODS = {"compile", "match", "fullmatch", "search", "sub", "subn", "findall", "finditer", "split"}
_ANCHORED = {"match", "fullmatch"}
_OTHER_ENGINES = {"regex", "re2"}
_SCRIPTS = "catalog.records.migrations.env"
"""Executed by Alembic only: importing it raises. Its patterns, if there are any, are found in the source."""


class Use(NamedTuple):
    """A pattern and where it is: it is `searched` unless all its uses start at the first character."""

    pattern: str | bytes
    flags: int
    file: str
    line: int
    searched: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.pattern!r}"


class Call(NamedTuple):
    """A call of `re` in the source; `pattern` is None where it is not a constant."""

    pattern: str | bytes | None
    flags: int
    file: str
    line: int
    last_line: int
    method: str
    name: str
    """The module's variable that the compiled pattern is a part of."""


def all_uses() -> list[Use]:
    """Return every pattern of the product."""
    calls, methods = list(_calls()), _methods()
    lines = {(call.file, line): call for call in calls for line in range(call.line, call.last_line + 1)}
    uses = set()
    for pattern, flags, file, line in _compiled():
        call = lines.get((file, line))
        uses.add(Use(pattern, flags, file, line, searched=call is None or _is_searched(call, methods)))
    uses |= {
        Use(call.pattern, call.flags, call.file, call.line, searched=_is_searched(call, methods))
        for call in calls
        if call.pattern is not None
    }
    return sorted(uses, key=str)


def hidden_calls() -> list[Call]:
    """Return the calls whose pattern is neither a constant nor compiled when its module is imported."""
    compiled = {(file, line) for _, _, file, line in _compiled()}
    return [
        call
        for call in _calls()
        if call.pattern is None
        and not any((call.file, line) in compiled for line in range(call.line, call.last_line + 1))
    ]


def foreign_imports() -> list[str]:
    """Return imports that would hide a pattern: names out of `re`, or another engine."""
    return [
        f"{path}:{node.lineno}"
        for path, tree in _trees()
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and node.module in {"re", *_OTHER_ENGINES})
        or (isinstance(node, ast.Import) and any(map(_hides, node.names)))
    ]


def _hides(imported: ast.alias) -> bool:
    return imported.name in _OTHER_ENGINES or (imported.name == "re" and imported.asname is not None)


def _is_searched(call: Call, methods: dict[str, set[str]]) -> bool:
    used = methods.get(call.name, set()) if call.method == "compile" else {call.method}
    return not used or not used <= _ANCHORED


@cache
def _trees() -> list[tuple[str, ast.Module]]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def _calls() -> Iterator[Call]:
    for file, tree in _trees():
        for statement in ast.walk(tree):
            if not isinstance(statement, ast.stmt):
                continue
            for node in _own_expressions(statement):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "re"
                    and node.func.attr in _METHODS
                ):
                    yield _call(file, node, node.func.attr, _target(statement))


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Return the expressions of a statement, but not those of the statements within it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]


def _call(file: str, node: ast.Call, method: str, name: str) -> Call:
    try:
        pattern = ast.literal_eval(node.args[0])
    except ValueError:
        pattern = None
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    flags = named.get("flags") or (node.args[1] if method == "compile" and len(node.args) > 1 else None)
    value = eval(ast.unparse(flags), {"re": re}) if flags else 0
    return Call(pattern, int(value), file, node.lineno, node.end_lineno or node.lineno, method, name)


def _target(statement: ast.stmt) -> str:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
    return target.id if isinstance(target, ast.Name) else ""


def _methods() -> dict[str, set[str]]:
    """Return by name of a variable or attribute which methods of a pattern are called on it, anywhere."""
    methods: dict[str, set[str]] = {}
    for _, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _METHODS:
                methods.setdefault(_name(node.value), set()).add(node.attr)
    return methods


def _name(value: ast.AST) -> str:
    """Return the name at the end of an expression, without its subscripts."""
    while isinstance(value, ast.Subscript):
        value = value.value
    return str(getattr(value, "id", getattr(value, "attr", "")))


@cache
def _compiled() -> list[tuple[str | bytes, int, str, int]]:
    command = [sys.executable, "-m", "tests.regexes.patterns"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    return [(text.encode("latin-1") if is_bytes else text, flags, *place) for is_bytes, text, flags, *place in records]


def _report_all() -> None:
    """Import every module, and print each pattern that one of them compiles meanwhile."""
    genuine = re._compile  # type: ignore[attr-defined]

    def reporting(pattern: Any, flags: int) -> Any:  # noqa: ANN401 - the signature of `re`
        caller = sys._getframe(2)
        path = Path(caller.f_code.co_filename)
        if isinstance(pattern, str | bytes) and any(path.is_relative_to(ROOT / package) for package in PACKAGES):
            text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
            place = (str(path.relative_to(ROOT)), caller.f_lineno)
            sys.stdout.write(json.dumps([isinstance(pattern, bytes), text, int(flags), *place]) + "\n")
        return genuine(pattern, flags)

    re._compile = reporting  # type: ignore[attr-defined]
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name != _SCRIPTS:
                importlib.import_module(module.name)


if __name__ == "__main__":
    _report_all()
