"""The originals: a JPEG of 6 and one of 24 megapixels, quality 90, without metadata.

They are made from photographs if there is a folder of them, else from a drawn scene. Photographs are cut to 3:2 and
joined two by two, so 24 megapixels have a photograph's detail instead of being an enlarged small picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyvips

from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG
from proxy.pixels import scenes

_SIDES = {"6 MP": (3000, 2000), "24 MP": (6000, 4000)}
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Original:
    """An original's bytes and the facts of its header."""

    name: str
    body: bytes = field(repr=False)
    facts: Facts


def make_originals(folder: Path | None) -> tuple[str, list[Original]]:
    """Return a description of the material, and both originals."""
    photographs = sorted(folder.glob("*.png")) if folder and folder.is_dir() else []
    if len(photographs) >= 4:
        material = f"photographs ({len(photographs)} of {folder and folder.name})"
        return material, [_from_photographs(name, photographs) for name in _SIDES]
    return "drawn scenes (proxy.pixels.scenes.dunes)", [_drawn(name) for name in _SIDES]


def _from_photographs(name: str, photographs: Sequence[Path]) -> Original:
    width, height = _SIDES[name]
    joined = pyvips.Image.arrayjoin([_tile(path, width // 2, height // 2) for path in photographs[:4]], across=2)
    return _original(name, joined.jpegsave_buffer(Q=_QUALITY, keep="none"))


def _tile(path: Path, width: int, height: int) -> Any:  # noqa: ANN401 - pyvips has no types
    return pyvips.Image.thumbnail(str(path), width, height=height, crop="centre").copy_memory()


def _drawn(name: str) -> Original:
    picture = pyvips.Image.new_from_buffer(scenes.dunes(*_SIDES[name]), "")
    return _original(name, picture.jpegsave_buffer(Q=_QUALITY, keep="none"))


def _original(name: str, body: bytes) -> Original:
    return Original(name, body, Facts(JPEG, *_SIDES[name]))
