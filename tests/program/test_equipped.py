"""An installation with everything turned on, over a socket; and one without, which says what it lacks."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from tests.pixels.test_extras import pdf, quadrants
from tests.program.server import Home, Server, serving

EVERYTHING = {"DARKROOM_FORMATS": "svg,tiff,heic,jxl,pdf", "DARKROOM_FACES": "true"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><path d="M0 0h40v20H0z" fill="#dc1e1e"/></svg>'


def heic() -> bytes:
    written = BytesIO()
    pillow_heif.from_pillow(quadrants()).save(written, quality=90)
    return written.getvalue()


@pytest.fixture(scope="module")
def whole_home(home: Home) -> Home:
    """Give the same home with everything turned on."""
    return Home(home.folder, EVERYTHING)


@pytest.fixture(scope="module")
def equipped(whole_home: Home) -> Iterator[Server]:
    with serving(whole_home) as server:
        yield server


def size_of(body: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(body)) as image:
        return image.size


def test_what_is_turned_on_is_taken_and_developed(equipped: Server, whole_home: Home) -> None:
    told = whole_home.upload(SVG, heic(), pdf((100, 50), (60, 90)))
    assert [one["media_type"] for one in told] == ["image/svg+xml", "image/heic", "application/pdf"]
    assert [(one["width"], one["height"]) for one in told] == [(40, 20), (64, 48), (100, 50)]
    drawn, photo, paper = (one["original"] for one in told)
    for original, recipe, media_type, size in (
        (drawn, "w400-up-webp", "image/webp", (400, 200)),
        (drawn, "w20", "image/png", (20, 10)),
        (photo, "w32", "image/jpeg", (32, 24)),
        (photo, "w32-h32-gface-png", "image/png", (32, 32)),
        (paper, "page2-w30-png", "image/png", (30, 45)),
        (paper, "w30-png", "image/png", (30, 15)),
    ):
        answer = equipped.picture(original, recipe)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type), answer.text
        assert size_of(answer.content) == size
        assert equipped.picture(original, recipe).content == answer.content
    assert equipped.picture(photo, "w32-jxl").headers["content-type"] == "image/jxl"
    assert equipped.picture(paper, "page3-png").status_code == 422


def test_what_is_off_is_refused_with_a_reason(server: Server, home: Home, original: str, tmp_path: Path) -> None:
    file = tmp_path / "photo.heic"
    file.write_bytes(heic())
    refused = home.run("upload", file, "--tenant", "acme")
    assert refused.returncode == 1
    assert "DARKROOM_FORMATS=heic" in refused.stderr
    for recipe, why in (("w32-jxl", "DARKROOM_FORMATS"), ("w32-h32-gface-webp", "DARKROOM_FACES")):
        answer = server.picture(original, recipe)
        assert (answer.status_code, answer.json()["code"]) == (422, "over-limit")
        assert why in answer.json()["detail"]
    planted = home.plant(heic())
    assert server.picture(planted, "w32-webp").status_code == 415


def test_a_format_that_does_not_exist_ends_the_start(home: Home) -> None:
    wrong = Home(home.folder, {"DARKROOM_FORMATS": "svg,psd"}).run("serve", "--port", "0")
    assert wrong.returncode == 2
    assert "DARKROOM_FORMATS" in wrong.stderr


def test_how_pictures_are_developed_changes_and_purges(server: Server, home: Home, original: str) -> None:
    before = server.picture(original, "w300-png").headers["etag"]

    def stored() -> list[Path]:
        """List acme's derivatives on disk, of any renderer version."""
        return [path for path in (home.folder / "derivatives").glob("*/acme/**/*") if path.is_file()]

    server.wait_until(stored)
    assert home.run("tenant", "set", "acme", "--hints").returncode == 0
    assert stored()
    assert home.run("tenant", "set", "acme", "--wide").returncode == 0
    assert not stored()
    server.wait_until(lambda: server.picture(original, "w300-png").headers["etag"] != before)
    server.wait_until(stored)
    told = home.run("tenant", "purge", "acme")
    assert told.returncode == 0
    assert "derivatives of tenant acme" in told.stdout
    assert not stored()
    assert server.picture(original, "w300-png").status_code == 200
    missing = home.run("tenant", "purge", "nobody")
    assert missing.returncode == 1
