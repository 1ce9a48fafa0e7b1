"""Servers that the tests of a module share, and pictures with known colours."""

from collections.abc import Iterator

import pytest
import pyvips

from tests.program.server import Home, Server, serving

TENANT_TTL_S = 0.2
"""The time in seconds after which the shared server reads a tenant again."""


def halves(width: int = 600, height: int = 400, suffix: str = ".jpg", seed: int = 0) -> bytes:
    """Return a picture with a red left half and a blue right half; each `seed` results in other bytes."""
    red = pyvips.Image.black(width // 2, height, bands=3).linear(1, [220, 30, 30])
    blue = pyvips.Image.black(width - width // 2, height, bands=3).linear(1, [30, 30, 220 - seed % 100])
    picture = red.join(blue, "horizontal").cast("uchar").copy(interpretation="srgb")
    return bytes(picture.write_to_buffer(suffix))


def noisy(width: int, height: int, seed: int = 0) -> bytes:
    """Return a picture that is slow to encode."""
    noise = pyvips.Image.gaussnoise(width, height, mean=128, sigma=60, seed=seed)
    return bytes(noise.bandjoin([noise.rot180(), noise.fliphor()]).cast("uchar").jpegsave_buffer(Q=85))


def seen(body: bytes) -> tuple[int, int, tuple[int, ...], tuple[int, ...]]:
    """Decode an answer: return width, height, and the colours of its left and its right part."""
    picture = pyvips.Image.new_from_buffer(body, "").colourspace("srgb")
    y = picture.height // 2
    left, right = picture(picture.width // 8, y), picture(picture.width * 7 // 8, y)
    return picture.width, picture.height, tuple(map(round, left[:3])), tuple(map(round, right[:3]))


def red(colour: tuple[int, ...]) -> bool:
    return colour[0] > 180 and colour[1] < 80 and colour[2] < 80


def blue(colour: tuple[int, ...]) -> bool:
    return colour[2] > 100 and colour[0] < 80 and colour[1] < 80


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home folder with SQLite and the tenant acme; its servers run no jobs, whose renders would count."""
    home = Home(tmp_path_factory.mktemp("home"), {"DARKROOM_JOB_CONCURRENCY": "0"})
    home.create_tenant()
    return home


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[Server]:
    """Return a server for the home folder, shared by the tests of a module."""
    with serving(home, DARKROOM_TENANT_TTL_S=str(TENANT_TTL_S)) as server:
        yield server


@pytest.fixture(scope="module")
def original(home: Home) -> str:
    """Return the name of an uploaded original, red on the left and blue on the right."""
    return str(home.upload(halves())[0]["original"])
