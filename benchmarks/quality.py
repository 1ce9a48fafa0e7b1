"""Quality: bytes and SSIMULACRA2 of the same pictures by Darkroom and other programs, and the score at equal bytes.

Large photographs are reduced to 800 pixels. The reference is Pillow's Lanczos reduction of the photograph, which none
of the programs uses except thumbor. Darkroom's scores at several qualities form a curve over bytes; the score of
another program is compared with the curve at the same number of bytes.

SSIMULACRA2: 30 is low, 50 medium, 70 high quality, 90 visually lossless; a difference of 1 is hardly visible.
"""

import importlib.util
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from PIL import Image

from benchmarks import peers, sharp
from benchmarks.ours import develop
from benchmarks.servers import Missing

SIDE = 800
_ORIGINAL_QUALITY = 92
QUALITIES = {"jpeg": (50, 65, 80, 90), "webp": (50, 65, 80, 90), "avif": (40, 50, 65, 80)}
_DEFAULT = {"jpeg": "q80", "webp": "q80", "avif": "q55"}
_NAMED = {"jpeg": 80, "webp": 80, "avif": 65}
"""The quality of the other programs' rows. Scales of AVIF differ; this value exists in all."""
_SCORE_S = 300

_Curve = list[tuple[int, float]]
"""Pairs of bytes and score, in order of bytes."""


@dataclass(frozen=True, slots=True)
class Row:
    """Means over all photographs."""

    format: str
    tool: str
    quality: str
    body_bytes: float
    score: float
    ours_at_its_bytes: float | None
    """Darkroom's score at the same bytes minus this score; None for Darkroom."""


def measure(folder: Path, photographs: Sequence[Path], report: Callable[[str], None]) -> list[Row]:
    """Render, score and compare; raise Missing for a program that is not installed."""
    if importlib.util.find_spec("ssimulacra2") is None:
        raise Missing("ssimulacra2 is not installed. Run .venv/bin/pip install ssimulacra2.")
    if not photographs:
        raise Missing("There are no photographs. Specify --photographs FOLDER, with PNGs larger than 800 pixels.")
    home = folder / "quality"
    home.mkdir()
    names = [_prepare(home, at, path) for at, path in enumerate(photographs)]
    with ExitStack() as stack:
        tools: dict[str, peers.Develop] = {"sharp": _by_sharp(home), **peers.open_peers(stack, home, home)}
        rows = []
        for output in QUALITIES:
            rows += _compare(home, names, tools, output, report)
    return rows


def _prepare(home: Path, at: int, photograph: Path) -> str:
    """Write the large original and the reference of its reduction; return the original's name."""
    name = f"photo{at}.jpg"
    with Image.open(photograph) as image:
        image.convert("RGB").save(home / name, quality=_ORIGINAL_QUALITY, subsampling=0)
    with Image.open(home / name) as image:
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
        image.save(home / f"{name}.png")
    return name


def _compare(
    home: Path, names: Sequence[str], tools: dict[str, peers.Develop], output: str, report: Callable[[str], None]
) -> list[Row]:
    def ours(name: str, quality: str) -> tuple[int, float]:
        recipe = f"w{SIDE}-h{SIDE}-inside-{quality}-{output}"
        return _point(home, name, develop(home / name, recipe))

    qualities = [f"q{quality}" for quality in QUALITIES[output]]
    curves: dict[str, _Curve] = {name: sorted(ours(name, quality) for quality in qualities) for name in names}
    rows = []
    for quality in (_DEFAULT[output], "qlow", "qgood", "qbest"):
        points = [ours(name, quality) for name in names]
        rows.append(_mean(output, "Darkroom", quality, points, None))
        report(f"{output} {quality}: {rows[-1].score:.1f}")
    for tool, its in tools.items():
        points = [_point(home, name, its(name, SIDE, output, _NAMED[output])) for name in names]
        better = [_score_at(curves[name], size) - score for name, (size, score) in zip(names, points, strict=True)]
        rows.append(_mean(output, tool, f"q{_NAMED[output]}", points, fmean(better)))
        report(f"{output} {tool}: {rows[-1].score:.1f}")
    return rows


def _mean(output: str, tool: str, quality: str, points: _Curve, better: float | None) -> Row:
    sizes, scores = zip(*points, strict=True)
    return Row(output, tool, quality, fmean(sizes), fmean(scores), better)


def _score_at(curve: _Curve, size: int) -> float:
    """Interpolate a curve linearly over the logarithm of bytes; beyond its end, extrapolate its last piece."""
    pieces = list(pairwise(curve))
    (low_size, low), (high_size, high) = next((piece for piece in pieces if size <= piece[1][0]), pieces[-1])
    share = math.log(size / low_size) / math.log(high_size / low_size)
    return low + share * (high - low)


def _point(home: Path, name: str, body: bytes) -> tuple[int, float]:
    with Image.open(BytesIO(body)) as image:
        image.convert("RGB").save(home / "result.png", compress_level=1)
    command = [sys.executable, "-m", "benchmarks.score", str(home / f"{name}.png"), str(home / "result.png")]
    completed = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_SCORE_S)
    return len(body), float(completed.stdout)


def _by_sharp(home: Path) -> peers.Develop:
    def by_sharp(name: str, side: int, output: str, quality: int) -> bytes:
        made = home / f"sharp.{output}"
        resize = ["resize", {"width": side, "height": side, "fit": "inside", "withoutEnlargement": True}]
        sharp.run([sharp.Task(str(home / name), str(made), [resize, [output, {"quality": quality}]])])
        return made.read_bytes()

    return by_sharp
