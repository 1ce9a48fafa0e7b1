"""Sizes, boxes and turns, in whole pixels.

Theory. A turn of a picture is an element of the dihedral group D4. The eight EXIF orientations, `rot`, `flip` and
`flop` are all turns. Each is represented as *mirror left-right first, then rotate clockwise by quarter turns*, so
composition and inversion are two lines of arithmetic and no table of 8 × 8 cases is needed.
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
    """A rectangle inside a picture, in pixels; the origin is the top left corner of the picture."""

    left: int
    top: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        """The size of the rectangle."""
        return Size(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Turn:
    """Mirror left-right if `mirrored`, then rotate clockwise by `quarters` × 90°; `quarters` is 0 to 3."""

    mirrored: bool = False
    quarters: int = 0

    def then(self, after: "Turn") -> "Turn":
        """Return the turn that applies this turn first and `after` second.

        A mirror that follows a rotation reverses the direction of the rotation.
        """
        quarters = -self.quarters if after.mirrored else self.quarters
        return Turn(self.mirrored != after.mirrored, (after.quarters + quarters) % 4)

    @property
    def inverse(self) -> "Turn":
        """The turn that reverts this turn; a mirrored turn is its own inverse."""
        return self if self.mirrored else Turn(mirrored=False, quarters=-self.quarters % 4)

    def of_size(self, size: Size) -> Size:
        """Return the size of a picture of size `size` after the turn."""
        return Size(size.height, size.width) if self.quarters % 2 else size

    def of_box(self, box: Box, within: Size) -> Box:
        """Return the position of `box`, inside a picture of size `within`, after the turn."""
        left, top, width, height = box.left, box.top, box.width, box.height
        if self.mirrored:
            left = within.width - left - width
        for _ in range(self.quarters):
            left, top, width, height = within.height - top - height, left, height, width
            within = Size(within.height, within.width)
        return Box(left, top, width, height)

    def of_point(self, x: Fraction, y: Fraction) -> tuple[Fraction, Fraction]:
        """Return the position of a point after the turn; coordinates are fractions of the sides, from 0 to 1."""
        if self.mirrored:
            x = 1 - x
        for _ in range(self.quarters):
            x, y = 1 - y, x
        return x, y


FLIP = Turn(mirrored=True, quarters=2)
"""Mirror top-bottom."""
FLOP = Turn(mirrored=True)
"""Mirror left-right."""

_EXIF_TURNS = (
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
    """Return the turn that makes a picture of EXIF orientation 1…8 upright (CIPA DC-008 §4.6.5).

    Any other value is treated as orientation 1.
    """
    return _EXIF_TURNS[orientation - 1] if 1 <= orientation <= len(_EXIF_TURNS) else _EXIF_TURNS[0]


def ratio(amount: int, numerator: int, denominator: int) -> int:
    """Return `amount × numerator ÷ denominator`, rounded half up and at least 1; all arguments are positive."""
    return max(1, (2 * amount * numerator + denominator) // (2 * denominator))


def fit_scale(source: Size, target: Size, *, cover: bool) -> tuple[int, int]:
    """Return the scale (numerator, denominator) at which `source` just covers `target`, or else just fits inside it."""
    by_width = (target.width, source.width)
    by_height = (target.height, source.height)
    wider = target.width * source.height >= target.height * source.width
    return by_width if wider == cover else by_height


def scale(source: Size, by: tuple[int, int]) -> Size:
    """Return `source` with both sides scaled by a ratio, each rounded half up and at least 1."""
    return Size(ratio(source.width, *by), ratio(source.height, *by))
