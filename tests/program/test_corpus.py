"""Other people's pictures, good and hostile: each is 200, 415 or 422, and the server stands."""

from pathlib import Path

import pytest

from tests.program.server import Home, Server

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
KINDS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"}

REFUSED = {
    "avif/color_grid_alpha_grid_tile_shared_in_dimg.avif": "libheif refuses tiles of two chroma formats",
    "avif/poc_b_506387278.avif": "a proof of concept with a corrupt frame",
    "formats/65536-uint32-limit.png": "four gigapixels",
    "formats/corrupt-header.jpg": "ends early",
    "formats/truncated.jpg": "ends early",
    "formats/truncated.png": "ends early",
    "gif/image-zero-height.gif": "no pixels",
    "gif/image-zero-size.gif": "no pixels",
    "gif/image-zero-width.gif": "no pixels",
    "gif/invalid-code.gif": "an LZW code that does not exist",
    "gif/max-size.gif": "four gigapixels without image data",
    "gif/no-data.gif": "no image data",
    "gif/overflow-codes-max.gif": "no frame that libnsgif can use",
    "gif/overflow-codes.gif": "no frame that libnsgif can use",
    "gif/zero-height.gif": "no pixels",
    "gif/zero-size.gif": "no pixels",
    "gif/zero-width.gif": "no pixels",
}
"""Beside `damaged/` and PngSuite's `x*`, which are broken on purpose: what does not answer 200, and why."""


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder ../shared/corpus is not there")
def test_every_picture_of_the_corpus_is_shown_or_refused_and_the_server_stands(home: Home, server: Server) -> None:
    refused = set()
    for path in sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix != ".md"):
        name = str(path.relative_to(CORPUS))
        answer = server.picture(home.plant(path.read_bytes()), "w320-h180-webp")
        assert answer.status_code in (200, 415, 422), f"{name}: {answer.status_code} {answer.text}"
        broken = name.startswith("damaged/") or (path.name.startswith("x") and name.startswith("pngsuite/"))
        if answer.status_code != 200 and path.suffix.lower() in KINDS and not broken:
            refused.add(name)
    assert refused == set(REFUSED)
    assert server.process.poll() is None
    assert server.metric("darkroom_worker_crashes_total") == 0
