"""Other people's pictures in every output format: refused or developed, twice the same, and telling nothing.

Pillow is the independent reader of what the derivatives tell.
"""

import asyncio
import os
from collections import Counter
from functools import partial
from io import BytesIO
from pathlib import Path

import pillow_jxl
import pytest
from PIL import Image
from PIL.ExifTags import TAGS

from proxy.core.errors import LimitExceeded, UnsupportedFormat, WorkerCrashed
from proxy.core.geometry import Box
from proxy.core.media.facts import Facts
from proxy.core.media.formats import TEXTS, writable
from proxy.core.planning.plan import Page, Plan, Trim
from proxy.core.planning.planner import Capabilities, PlanContext, plan_render
from proxy.core.recipe.grammar import parse
from proxy.core.recipe.options import FORMAT_WORDS
from proxy.ports import OpenOriginal
from proxy.settings import Settings
from proxy.workers.pool import Pool, open_pool

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
FORMATS = "svg,tiff,heic,jxl,pdf"
OUTPUTS = [word for word in FORMAT_WORDS if word not in ("json", "auto")]
RIGHTS = {"Copyright", "Artist"}
OF_THE_FILE = {
    "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "StripOffsets",
    "SamplesPerPixel", "RowsPerStrip", "StripByteCounts", "PlanarConfiguration", "Predictor", "SampleFormat",
    "ExtraSamples", "Orientation", "ResolutionUnit", "XResolution", "YResolution", "TileWidth", "TileLength",
    "YCbCrPositioning", "ColorMap", "ExifOffset",
}  # fmt: skip
"""What a TIFF's pixels cannot be read without, and what every EXIF block has to hold."""
TELLING = {"xmp", "XML:com.adobe.xmp", "icc_profile", "photoshop", "comment", "Comment"}
"""What Pillow calls it."""
MADE_UP = {"JXL": {"icc_profile"}}
"""Pillow gives each JPEG XL a profile, which it makes of the colour space that the header names."""


def planning(recipe: str, facts: Facts, trimmed: Box | None) -> Plan | Page | Trim:
    terms = PlanContext(capabilities=Capabilities(writable(FORMATS)))
    return plan_render(parse(recipe), facts, terms, trimmed)


async def render(pool: Pool, path: Path, recipe: str) -> bytes | str:
    """Give the derivative's body, or the code it is refused with."""
    fd = os.open(path, os.O_RDONLY)
    with OpenOriginal(fd, os.fstat(fd).st_size) as original:
        try:
            made = await pool.render(original, None, partial(planning, recipe))
        except (UnsupportedFormat, LimitExceeded) as refusal:
            assert not isinstance(refusal, WorkerCrashed), f"{path.name} {recipe}"
            return refusal.code
    return made.derivative.body


def told(body: bytes) -> set[str]:
    """Name what a derivative tells beyond its pixels and their timing."""
    assert pillow_jxl
    with Image.open(BytesIO(body)) as image:
        fields = {TAGS.get(tag, str(tag)) for tag in image.getexif()} - RIGHTS - OF_THE_FILE
        beside = TELLING & set(image.info) - MADE_UP.get(str(image.format), set())
        return fields | beside | set(getattr(image, "text", {}))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder ../shared/corpus is not there")
@pytest.mark.timeout(400)
async def test_every_picture_in_every_format_twice(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix != ".md")
    texts = {one.name for one in TEXTS}

    async with open_pool(Settings(home=tmp_path, formats=FORMATS)) as pool:

        async def check(path: Path, output: str) -> None:
            first = await render(pool, path, f"w40-{output}")
            assert first == await render(pool, path, f"w40-{output}"), f"{path.name} {output}"
            seen[output if isinstance(first, bytes) else first] += 1
            if isinstance(first, bytes) and output not in texts:
                assert told(first) == set(), f"{path.name} {output}"

        async def check_all(path: Path) -> None:
            for output in OUTPUTS:
                await check(path, output)

        waiting = iter(files)

        async def work() -> None:
            for path in waiting:
                await check_all(path)

        await asyncio.gather(work(), work(), work())
        assert not {reason: count for reason, count in pool.restarts.items() if reason not in ("jobs", "rss")}
    assert min(seen[output] for output in OUTPUTS) > 400
