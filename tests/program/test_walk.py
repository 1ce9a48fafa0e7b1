"""`docs/catalog.md` is executed line by line, as its reader does, on both kinds of installation."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.migrated import APPLICATION
from tests.program.conftest import halves
from tests.program.server import Home, serving
from tests.servers.databases import url_as
from tests.servers.processes import free_port

if TYPE_CHECKING:
    from tests.servers.fixtures import S3

pytestmark = pytest.mark.timeout(300)
PAGE = Path(__file__).parents[2] / "docs" / "catalog.md"


def script_of(page: Path) -> str:
    """Return all shell blocks of a page as one script that ends at the first failure."""
    return "\n".join(["set -euo pipefail", *re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)])


async def test_the_walk_of_the_catalog_works_as_written_on_sqlite_and_a_folder(tmp_path: Path) -> None:
    await check(Home(tmp_path / "home"), tmp_path)


@pytest.mark.usefixtures("application_role")
async def test_the_walk_of_the_catalog_works_as_written_on_postgresql_redis_and_s3(
    tmp_path: Path, database_url: str, redis_url: str, s3: "S3"
) -> None:
    servers = {"DARKROOM_DATABASE_URL": url_as(APPLICATION, database_url), "DARKROOM_REDIS_URL": redis_url}
    home = Home(tmp_path / "home", servers | s3.environment)
    migrated = await asyncio.to_thread(home.run, "migrate", "--database-url", database_url)
    assert migrated.returncode == 0, migrated.stderr
    await check(home, tmp_path)


async def check(home: Home, folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(halves(900, 600))
    (folder / "other.jpg").write_bytes(halves(300, 400, seed=7))
    done = await asyncio.to_thread(walk, home, folder)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert (folder / "small.webp").read_bytes()[8:12] == b"WEBP"
    assert "<picture>" in (folder / "picture.html").read_text()


def walk(home: Home, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the page's script in a folder, beside a server."""
    base = f"http://127.0.0.1:{free_port()}"
    home.settings["DARKROOM_BASE_URL"] = base
    path = f"{Path(sys.executable).parent}:{home.environment['PATH']}"
    with serving(home, "--port", base.rpartition(":")[2]):
        return subprocess.run(
            ["bash", "-x", "-c", script_of(PAGE)],
            cwd=folder,
            env=home.environment | {"API": base, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
