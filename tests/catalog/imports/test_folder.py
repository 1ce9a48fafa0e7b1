"""`darkroom import`: a tree of files, what is left out of it, and an import that goes on where it was killed."""

import asyncio
import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from sqlmodel import select

from catalog.cli.exit_codes import Exit
from catalog.imports.folder import walk
from catalog.records.image import Image
from catalog.records.schema import open_database
from proxy.settings import Settings
from tests.catalog.images.pictures import FRAGMENT, picture
from tests.warm import warm

DARKROOM = Path(sys.executable).with_name("darkroom")
DEADLINE_S = 60


class Importer:
    """A home folder with the tenant acme, and a tree to import."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.environment = {"DARKROOM_HOME": str(folder / "home"), "PATH": os.environ["PATH"]}
        assert self.run("tenant", "create", "acme").returncode == 0

    def run(self, *words: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        return warm().run([*map(str, words)], {**self.environment, **settings}, self.folder)

    def run_import(self, *words: str, code: int = Exit.FINE, **settings: str) -> "subprocess.CompletedProcess[str]":
        done = self.run("import", self.tree, "--tenant", "acme", *words, **settings)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        return done

    def objects(self, *words: str, code: int = Exit.FINE) -> dict[str, dict[str, str]]:
        """Import with `--json`; return what is printed, by the path within the tree."""
        lines = self.run_import("--json", *words, code=code).stdout.splitlines()
        objects = [json.loads(line) for line in lines]
        return {str(Path(each["file"]).relative_to(self.tree)): each for each in objects}

    def images(self) -> list[Image]:
        async def read() -> list[Image]:
            async with open_database(Settings(home=self.folder / "home")) as database, database.reading() as session:
                return list(await session.scalars(select(Image)))

        return asyncio.run(read())

    def add(self, name: str, body: bytes) -> Path:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    return Importer(tmp_path)


def test_a_tree_is_walked_in_order_without_hidden_files_and_links(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/1.jpg", "a.jpg", ".hidden.jpg", ".git/x.jpg", "b/c/3.jpg"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").touch()
    tree = tmp_path / "tree"
    (tree / "link").symlink_to(outside)
    (tree / "link.jpg").symlink_to(outside / "secret.jpg")
    (tree / "loop").symlink_to(tree)
    os.mkfifo(tree / "pipe.jpg")
    found = [str(path.relative_to(tree)) for path in walk(tree) if isinstance(path, Path)]
    assert found == ["a.jpg", "b/1.jpg", "b/2.jpg", "b/c/3.jpg"]
    [error] = walk(tmp_path / "missing")
    assert isinstance(error, FileNotFoundError)


def test_a_tree_is_imported_and_the_second_time_it_is_known(importer: Importer) -> None:
    bodies = {"chair.jpg": picture(10), "rooms/kitchen/Küche.png": picture(20, suffix=".png"), "copy.jpg": picture(10)}
    for name, body in bodies.items():
        importer.add(name, body)
    importer.add(".DS_Store", b"x")
    first = importer.objects("--tag", "archive", "--jobs", "1")
    assert {name: each["state"] for name, each in first.items()} == {
        "chair.jpg": "new",
        "copy.jpg": "known",
        "rooms/kitchen/Küche.png": "new",
    }
    assert {name: each["original"] for name, each in first.items()} == {
        name: sha256(body).hexdigest() for name, body in bodies.items()
    }
    assert {image.file_name for image in importer.images()} == {"chair.jpg", "Küche.png"}
    assert {image.id for image in importer.images()} == {each["image"] for each in first.values()}
    second = importer.objects("--tag", "archive", "--tag", "old")
    assert {each["state"] for each in second.values()} == {"known"}
    assert importer.run_import().stdout == "Imported 0 images; 3 known, 0 refused.\n"
    versions = {image.version for image in importer.images()}
    assert versions == {2}, "the second import added a tag, the third changed nothing"


def test_what_is_refused_is_told_with_its_reason_and_stops_nothing(importer: Importer) -> None:
    importer.add("a/notes.txt", b"hello")
    importer.add("b/half.jpg", picture()[:-100])
    importer.add("c/run.php.jpg", picture(30))
    importer.add("d/good.jpg", picture(40))
    (importer.tree / "e.jpg").write_bytes(b"")
    done = importer.run_import(code=Exit.REFUSED)
    assert done.stdout.splitlines()[0] == "Imported 1 image; 0 known, 4 refused."
    told = {line.strip() for line in done.stdout.splitlines()[1:]}
    assert told == {"1 × format", "1 × damaged", "1 × extension-dangerous", "1 × empty"}
    for name in ("a/notes.txt", "b/half.jpg", "c/run.php.jpg", "e.jpg"):
        assert f"{importer.tree / name}: " in done.stderr
    done = importer.run_import("--json", code=Exit.REFUSED)
    assert [json.loads(line)["state"] for line in done.stdout.splitlines()] == ["known"]
    errors = [json.loads(line) for line in done.stderr.splitlines()]
    assert {Path(error["file"]).name for error in errors} == {"notes.txt", "half.jpg", "run.php.jpg", "e.jpg"}


def test_a_file_over_the_limit_is_refused_unread(importer: Importer) -> None:
    path = importer.add("film.jpg", b"")
    os.truncate(path, 2**40)
    done = importer.run_import("--json", code=Exit.REFUSED)
    assert json.loads(done.stderr)["code"] == "too-large"


def test_a_dry_run_examines_and_stores_nothing(importer: Importer) -> None:
    importer.add("a.jpg", picture(50))
    importer.add("b.jpg", b"nonsense")
    done = importer.run_import("--dry-run", code=Exit.REFUSED)
    assert done.stdout.splitlines()[0] == "Would import 1 image; 0 known, 1 refused."
    assert importer.images() == []
    assert not list((importer.folder / "home" / "originals").rglob("[0-9a-f]" * 64))
    importer.add("b.jpg", picture(50) + FRAGMENT)
    importer.run_import()
    dry = importer.objects("--dry-run")
    assert {name: each["state"] for name, each in dry.items()} == {"a.jpg": "known", "b.jpg": "known"}


def test_a_wrong_tag_collection_or_folder_is_refused(importer: Importer) -> None:
    importer.add("a.jpg", picture())
    assert "collection" in importer.run_import("--collection", "chairs", code=Exit.REFUSED).stderr
    assert "--tag" in importer.run_import("--tag", "a\nb", code=Exit.USAGE).stderr
    done = importer.run("import", importer.folder / "missing", "--tenant", "acme")
    assert (done.returncode, "missing" in done.stderr) == (Exit.USAGE, True)
    assert importer.run("import", importer.tree, "--tenant", "nobody").returncode == Exit.REFUSED
    assert importer.images() == []


def test_an_import_that_was_killed_goes_on_when_it_is_started_again(importer: Importer) -> None:
    count = 12
    for number in range(count):
        importer.add(f"{number // 4}/{number}.png", picture(number, suffix=".png"))
    command: list[str | Path] = [DARKROOM, "import", importer.tree, "--tenant", "acme", "--json", "--jobs", "2"]
    with subprocess.Popen(command, env=importer.environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["state"] == "new"
        running.kill()
        told = 1 + sum(line.endswith("}\n") for line in running.stdout)
    before = len(importer.images())
    assert told <= before
    states = [each["state"] for each in importer.objects().values()]
    assert states.count("known") >= before
    assert sorted(states) == ["known"] * states.count("known") + ["new"] * (count - states.count("known"))
    images = importer.images()
    assert len({image.original for image in images}) == len(images) == count
