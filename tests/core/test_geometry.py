"""Turns form a group, boxes follow their pixels, and scales are rounded half up."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.geometry import FLIP, FLOP, Box, Size, Turn, fit_scale, ratio, scale, upright

turns = st.builds(Turn, st.booleans(), st.integers(0, 3))
sizes = st.builds(Size, st.integers(1, 40), st.integers(1, 40))


def moved(turn: Turn, point: tuple[int, int], within: Size) -> tuple[int, int]:
    """Return the position of a pixel after a turn, by mirroring and turning by 90° step by step."""
    x, y = point
    if turn.mirrored:
        x = within.width - 1 - x
    for _ in range(turn.quarters):
        x, y, within = within.height - 1 - y, x, Size(within.height, within.width)
    return x, y


@given(turns, turns, sizes, st.data())
def test_turning_twice_is_turning_by_the_composition(
    first: Turn, second: Turn, size: Size, data: st.DataObject
) -> None:
    point = data.draw(st.integers(0, size.width - 1)), data.draw(st.integers(0, size.height - 1))
    twice = moved(second, moved(first, point, size), first.of_size(size))
    assert moved(first.then(second), point, size) == twice


@given(turns)
def test_a_turn_and_its_inverse_do_nothing(turn: Turn) -> None:
    assert turn.then(turn.inverse) == Turn()
    assert turn.inverse.then(turn) == Turn()


@given(turns, sizes, st.data())
def test_a_box_goes_where_its_corner_pixels_go(turn: Turn, size: Size, data: st.DataObject) -> None:
    left, top = data.draw(st.integers(0, size.width - 1)), data.draw(st.integers(0, size.height - 1))
    width, height = data.draw(st.integers(1, size.width - left)), data.draw(st.integers(1, size.height - top))
    box = turn.of_box(Box(left, top, width, height), size)
    corners = [moved(turn, (left, top), size), moved(turn, (left + width - 1, top + height - 1), size)]
    assert (box.left, box.top) == (min(x for x, _ in corners), min(y for _, y in corners))
    assert box.size == turn.of_size(Size(width, height))


@given(turns, sizes, st.data())
def test_a_point_goes_where_its_pixel_goes(turn: Turn, size: Size, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, size.width - 1)), data.draw(st.integers(0, size.height - 1))
    after, (left, top) = turn.of_size(size), moved(turn, (x, y), size)
    point = turn.of_point(Fraction(2 * x + 1, 2 * size.width), Fraction(2 * y + 1, 2 * size.height))
    assert point == (Fraction(2 * left + 1, 2 * after.width), Fraction(2 * top + 1, 2 * after.height))


def test_exif_orientations_move_the_top_left_pixel_as_the_standard_says() -> None:
    """CIPA DC-008 §4.6.5: the position of the stored top left corner after the turn, in a 3×2 picture."""
    size = Size(3, 2)
    corners = [moved(upright(number), (0, 0), size) for number in range(1, 9)]
    assert corners == [(0, 0), (2, 0), (2, 1), (0, 1), (0, 0), (1, 0), (1, 2), (0, 2)]


def test_an_orientation_out_of_range_is_upright() -> None:
    assert upright(0) == upright(9) == upright(-1) == Turn()


def test_flip_swaps_top_and_bottom_and_flop_swaps_left_and_right() -> None:
    assert moved(FLIP, (0, 0), Size(3, 2)) == (0, 1)
    assert moved(FLOP, (0, 0), Size(3, 2)) == (2, 0)


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 10**4))
def test_ratio_rounds_half_up_and_never_to_nothing(amount: int, numerator: int, denominator: int) -> None:
    exact = amount * numerator / denominator
    given = ratio(amount, numerator, denominator)
    assert given >= 1
    assert given == 1 or abs(given - exact) <= 0.5


@given(sizes, sizes)
def test_inside_fits_and_outside_covers_and_each_touches(source: Size, target: Size) -> None:
    inside = scale(source, fit_scale(source, target, cover=False))
    outside = scale(source, fit_scale(source, target, cover=True))
    assert inside.width <= target.width
    assert inside.height <= target.height
    assert inside.width == target.width or inside.height == target.height
    assert outside.width >= target.width
    assert outside.height >= target.height
    assert outside.width == target.width or outside.height == target.height
