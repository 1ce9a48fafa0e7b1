"""Primaries and the numbers for them, judged by published matrices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.colour_signalling import P3, SRGB, Signal, between, from_cicp, is_near, luminance

_2020_TO_709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
"""ITU-R BT.2087-0 §2."""
_P3_TO_SRGB = ((1.2249, -0.2249, 0.0), (-0.0421, 1.0421, 0.0), (-0.0196, -0.0786, 1.0983))


@pytest.mark.parametrize(("number", "expected"), [(9, _2020_TO_709), (12, _P3_TO_SRGB)])
def test_primaries_are_mixed_as_published(number: int, expected: tuple[tuple[float, ...], ...]) -> None:
    for row, values in zip(between(from_cicp(number, 13).primaries, SRGB), expected, strict=True):
        assert row == pytest.approx(values, abs=2e-4)


@pytest.mark.parametrize("number", range(256))
def test_white_stays_white_between_all_primaries(number: int) -> None:
    primaries = from_cicp(number, 13).primaries
    for target in (SRGB, P3):
        assert [sum(row) for row in between(primaries, target)] == pytest.approx([1, 1, 1], abs=2e-3)


def test_luminance_is_that_of_the_standards() -> None:
    assert luminance(SRGB) == pytest.approx((0.2126, 0.7152, 0.0722), abs=2e-4)
    assert luminance(from_cicp(9, 18).primaries) == pytest.approx((0.2627, 0.6780, 0.0593), abs=2e-4)


@pytest.mark.parametrize(("primaries", "wide"), [(1, False), (2, False), (5, False), (6, False), (9, True), (12, True)])
def test_what_is_wider_than_srgb(primaries: int, wide: bool) -> None:
    assert from_cicp(primaries, 13).wide is wide


@pytest.mark.parametrize("transfer", [0, 1, 2, 6, 13, 14, 15, 255])
def test_what_is_shown_as_srgb_asks_for_nothing(transfer: int) -> None:
    assert from_cicp(1, transfer).plain
    assert not from_cicp(9, transfer).plain


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_signal_survives_as_numbers(primaries: int, transfer: int) -> None:
    signal = from_cicp(primaries, transfer)
    assert Signal.from_numbers(signal.to_numbers()) == signal


def test_coordinates_that_writers_rounded_are_the_same() -> None:
    assert is_near(
        (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329), (0.6401, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.33)
    )
    assert not is_near(SRGB, P3)


@pytest.mark.parametrize("primaries", [(0.3,) * 8, (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3, 0.0), (0.0,) * 8])
def test_primaries_that_span_nothing_are_told(primaries: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"primaries|white"):
        between(primaries, SRGB)
