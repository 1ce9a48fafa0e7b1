"""Sizes, boxes and turns, in whole pixels.

Theory. A turn of a picture is an element of the dihedral group D4, and every one of the eight EXIF orientations, `rot`,
`flip` and
`flop` is one. We write each as *mirror left-right first, then rotate clockwise by quarters*; composition and inverse
are then two lines of arithmetic, and no table of 8 × 8 cases is needed anywhere.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, both at least 1."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """The area, in pixels."""
        return self.width * self.height

    @property
    def longest(self) -> int:
        """The longer side."""
        return max(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle inside a picture, its origin at the top left."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """The rectangle's own size."""
        return Size(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Turn:
    """Mirror left-right if `mirrored`, then rotate clockwise by `quarters` × 90°."""

    mirrored: bool = False
    quarters: int = 0

    def then(self, after: "Turn") -> "Turn":
        """Compose: this turn first, `after` second. A mirror after a rotation reverses the rotation's sense."""
        ours = -self.quarters if after.mirrored else self.quarters
        return Turn(self.mirrored != after.mirrored, (after.quarters + ours) % 4)

    @property
    def inverse(self) -> "Turn":
        """The turn that undoes this one; a mirrored turn undoes itself."""
        return self if self.mirrored else Turn(mirrored=False, quarters=-self.quarters % 4)

    def of_size(self, size: Size) -> Size:
        """Give the size of a picture after the turn."""
        return Size(size.height, size.width) if self.quarters % 2 else size

    def of_box(self, box: Box, within: Size) -> Box:
        """Where `box` of a picture of size `within` lies after the turn."""
        left, top, width, height = box.left, box.top, box.width, box.height
        if self.mirrored:
            left = within.width - left - width
        for _ in range(self.quarters):
            left, top, width, height = within.height - top - height, left, height, width
            within = Size(within.height, within.width)
        return Box(left, top, width, height)

    def of_point(self, x: Fraction, y: Fraction) -> tuple[Fraction, Fraction]:
        """Where a point lies after the turn; in fractions of the sides, before and after."""
        if self.mirrored:
            x = 1 - x
        for _ in range(self.quarters):
            x, y = 1 - y, x
        return x, y


FLIP = Turn(mirrored=True, quarters=2)
"""Upside down: top and bottom change places."""
FLOP = Turn(mirrored=True)
"""Left and right change places."""

_EXIF = (
    Turn(),
    Turn(mirrored=True),
    Turn(quarters=2),
    Turn(mirrored=True, quarters=2),
    Turn(mirrored=True, quarters=3),
    Turn(quarters=1),
    Turn(mirrored=True, quarters=1),
    Turn(quarters=3),
)


def upright(orientation: int) -> Turn:
    """Give the turn that sets a picture of EXIF orientation 1…8 upright (CIPA DC-008 §4.6.5); other values mean 1."""
    return _EXIF[orientation - 1] if 1 <= orientation <= len(_EXIF) else _EXIF[0]


def ratio(amount: int, numerator: int, denominator: int) -> int:
    """Give `amount × numerator ÷ denominator`, rounded half up, at least 1; all positive."""
    return max(1, (2 * amount * numerator + denominator) // (2 * denominator))


def fit_scale(source: Size, target: Size, *, cover: bool) -> tuple[int, int]:
    """Give the scale (numerator, denominator) at which `source` just fits inside `target`, or just covers it."""
    by_width = (target.width, source.width)
    by_height = (target.height, source.height)
    wider = target.width * source.height >= target.height * source.width
    return by_width if wider == cover else by_height


def scale(source: Size, by: tuple[int, int]) -> Size:
    """Scale both sides by a ratio, each rounded half up, at least 1."""
    return Size(ratio(source.width, *by), ratio(source.height, *by))
