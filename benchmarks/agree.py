"""Agreement: the same operations by Darkroom's pixel code and by sharp, compared pixel by pixel.

Both use libvips, so the comparison is of how each calls it: sizes, positions, order of operations, constants. Distances
are the mean and the largest difference of a channel, of 255. The output is PNG, so no encoder adds to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvips

from benchmarks import sharp
from benchmarks.ours import develop

MOST_MEAN = 1.0
"""The largest mean difference, of 255, at which two results agree."""


def _resize(**options: Any) -> list[Any]:  # noqa: ANN401 - sharp's options
    return ["resize", {"withoutEnlargement": True, **options}]


WORK: tuple[tuple[str, str, list[list[Any]]], ...] = (
    ("photo", "w300-h200-png", [_resize(width=300, height=200)]),
    ("photo", "w300-h300-png", [_resize(width=300, height=300)]),
    ("photo", "w301-png", [_resize(width=301)]),
    ("photo", "h203-png", [_resize(height=203)]),
    ("photo", "w300-h300-inside-png", [_resize(width=300, height=300, fit="inside")]),
    ("photo", "w300-h300-outside-png", [_resize(width=300, height=300, fit="outside")]),
    ("photo", "w300-h300-fill-png", [_resize(width=300, height=300, fit="fill")]),
    (
        "photo",
        "w300-h300-contain-bgff8800-png",
        [_resize(width=300, height=300, fit="contain", background="#ff8800")],
    ),
    *(
        ("photo", f"w200-h300-g{ours}-png", [_resize(width=200, height=300, position=theirs)])
        for ours, theirs in (("w", "west"), ("e", "east"), ("smart", "attention"), ("entropy", "entropy"))
    ),
    *(
        ("photo", f"w300-h100-g{ours}-png", [_resize(width=300, height=100, position=theirs)])
        for ours, theirs in (("n", "north"), ("se", "southeast"), ("sw", "southwest"))
    ),
    (
        "photo",
        "crop100_50_600_400-w300-png",
        [["extract", {"left": 100, "top": 50, "width": 600, "height": 400}], _resize(width=300)],
    ),
    ("photo", "rot90-w300-png", [["rotate", 90], _resize(width=300)]),
    ("photo", "flip-w300-png", [["flip"], _resize(width=300)]),
    ("photo", "flop-w300-png", [["flop"], _resize(width=300)]),
    ("framed", "trim20-png", [["trim", {"threshold": 20}]]),
    ("photo", "w300-blur3-png", [_resize(width=300), ["blur", 3]]),
    ("photo", "w300-bri1.2-png", [_resize(width=300), ["modulate", {"brightness": 1.2}]]),
    ("photo", "w300-sat0.4-png", [_resize(width=300), ["modulate", {"saturation": 0.4}]]),
    ("photo", "w300-hue90-png", [_resize(width=300), ["modulate", {"hue": 90}]]),
    ("photo", "w300-gray-png", [_resize(width=300), ["greyscale"]]),
    ("photo", "w300-invert-png", [_resize(width=300), ["negate", {"alpha": False}]]),
    ("photo", "w300-tint2a6f97-png", [_resize(width=300), ["tint", "#2a6f97"]]),
    (
        "photo",
        "w300-pad10_20_30_40-bgff8800-png",
        [_resize(width=300), ["extend", {"top": 10, "right": 20, "bottom": 30, "left": 40, "background": "#ff8800"}]],
    ),
)
"""The original, Darkroom's recipe, and sharp's operations."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """The difference of two results, of 255; sizes are (width, height)."""

    recipe: str
    ours: tuple[int, int]
    theirs: tuple[int, int]
    mean: float
    largest: float

    @property
    def holds(self) -> bool:
        """Whether the sizes are equal and the difference is small."""
        return self.ours == self.theirs and self.mean <= MOST_MEAN


def measure(folder: Path, originals: Sequence[bytes]) -> list[Agreement]:
    """Run all operations with both programs; the first original is the photograph."""
    home = folder / "agree"
    home.mkdir()
    files = {"photo": home / "photo.jpg", "framed": home / "framed.png"}
    photo = pyvips.Image.new_from_buffer(originals[0], "").thumbnail_image(1_200)
    photo.jpegsave(str(files["photo"]), Q=92)
    photo.thumbnail_image(500).embed(60, 40, 640, 480, extend="white").pngsave(str(files["framed"]))
    outputs = [home / f"{number}.png" for number in range(len(WORK))]
    sharp.run(
        [
            sharp.Task(str(files[name]), str(output), operations)
            for (name, _, operations), output in zip(WORK, outputs, strict=True)
        ]
    )
    return [
        _compare(recipe, develop(files[name], recipe), output.read_bytes())
        for (name, recipe, _), output in zip(WORK, outputs, strict=True)
    ]


def _compare(recipe: str, ours: bytes, theirs: bytes) -> Agreement:
    left, right = (_flat(pyvips.Image.new_from_buffer(body, "")) for body in (ours, theirs))
    sizes = (left.width, left.height), (right.width, right.height)
    if sizes[0] != sizes[1]:
        return Agreement(recipe, *sizes, mean=255.0, largest=255.0)
    difference = (left - right).abs()
    return Agreement(recipe, *sizes, mean=round(difference.avg(), 3), largest=difference.max())


def _flat(image: Any) -> Any:  # noqa: ANN401 - pyvips has no types
    image = image.colourspace("srgb")
    return image.flatten() if image.hasalpha() else image
