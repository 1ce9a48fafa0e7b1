"""Pictures of other projects in every output format: refused or rendered, deterministic, and without metadata.

Pillow reads the metadata of the derivatives. One format is rendered twice; all are if DARKROOM_TEST_FULL is set.
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

from proxy.core.errors import CorruptImage, LimitExceeded, UnsupportedFormat, WorkerCrashed
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
TWICE = {"webp"}
FULL = bool(os.environ.get("DARKROOM_TEST_FULL"))
OUTPUTS = [word for word in FORMAT_WORDS if word not in ("json", "auto")]
RIGHTS = {"Copyright", "Artist"}
OF_THE_FILE = {
    "ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "StripOffsets",
    "SamplesPerPixel", "RowsPerStrip", "StripByteCounts", "PlanarConfiguration", "Predictor", "SampleFormat",
    "ExtraSamples", "Orientation", "ResolutionUnit", "XResolution", "YResolution", "TileWidth", "TileLength",
    "YCbCrPositioning", "ColorMap", "ExifOffset",
}  # fmt: skip
"""What the pixels of a TIFF cannot be read without, and what every EXIF block must contain."""
ORIGINAL_REFUSALS = {UnsupportedFormat.code, CorruptImage.code}
METADATA = {"xmp", "XML:com.adobe.xmp", "icc_profile", "photoshop", "comment", "Comment"}
"""Pillow's names of metadata."""
SYNTHETIC = {"JXL": {"icc_profile"}}
"""Pillow makes a profile for each JPEG XL, of the colour space in its header."""


def planning(recipe: str, facts: Facts, trimmed: Box | None) -> Plan | Page | Trim:
    context = PlanContext(capabilities=Capabilities(writable(FORMATS)))
    return plan_render(parse(recipe), facts, context, trimmed)


async def render(pool: Pool, path: Path, recipe: str) -> bytes | str:
    """Return the body of the derivative, or the code of the refusal."""
    fd = os.open(path, os.O_RDONLY)
    with OpenOriginal(fd, os.fstat(fd).st_size) as original:
        try:
            result = await pool.render(original, None, partial(planning, recipe))
        except (UnsupportedFormat, LimitExceeded) as refusal:
            assert not isinstance(refusal, WorkerCrashed), f"{path.name} {recipe}"
            return refusal.code
    return result.derivative.body


def metadata(body: bytes) -> set[str]:
    """Return the names of the metadata of a derivative beyond rights, pixels and timing."""
    assert pillow_jxl
    with Image.open(BytesIO(body)) as image:
        fields = {TAGS.get(tag, str(tag)) for tag in image.getexif()} - RIGHTS - OF_THE_FILE
        blocks = METADATA & set(image.info) - SYNTHETIC.get(str(image.format), set())
        return fields | blocks | set(getattr(image, "text", {}))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder ../shared/corpus is not there")
@pytest.mark.timeout(400)
async def test_every_picture_in_every_format(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    files = sorted(path for path in CORPUS.rglob("*") if path.is_file() and path.suffix != ".md")
    texts = {text.name for text in TEXTS}

    async with open_pool(Settings(home=tmp_path, formats=FORMATS)) as pool:

        async def check(path: Path, output: str) -> str:
            outcome = await render(pool, path, f"w40-{output}")
            if FULL or output in TWICE:
                assert outcome == await render(pool, path, f"w40-{output}"), f"{path.name} {output}"
            if isinstance(outcome, bytes) and output not in texts:
                assert metadata(outcome) == set(), f"{path.name} {output}"
            return output if isinstance(outcome, bytes) else outcome

        async def check_all(path: Path) -> None:
            for output in OUTPUTS:
                outcome = await check(path, output)
                counts[outcome] += 1
                if outcome in ORIGINAL_REFUSALS and not FULL:
                    return  # the original is at fault, not the recipe, and each refusal costs a new worker

        waiting = iter(files)

        async def work() -> None:
            for path in waiting:
                await check_all(path)

        await asyncio.gather(work(), work(), work())
        assert not {
            reason: count for reason, count in pool.restarts.items() if reason not in ("jobs", "rss", "refused")
        }
    assert min(counts[output] for output in OUTPUTS) > 400
