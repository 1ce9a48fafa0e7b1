"""Limits: at the limit a picture is allowed; beyond it, the error contains the number and the limit."""

from dataclasses import fields, replace

import pytest

from proxy.core.errors import LimitExceeded
from proxy.core.geometry import Size
from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, GIF, JPEG, PDF, PNG, WEBP, Format
from proxy.core.planning.limits import (
    HARD_CAPS,
    Limits,
    check_bytes,
    check_decoded,
    check_output,
    check_source,
    check_work,
)
from proxy.core.planning.plan import Trim
from proxy.core.planning.planner import PlanContext, plan_render, resolve_plan
from proxy.core.recipe.grammar import parse
from proxy.settings import Settings

PHOTO = Facts(JPEG, 3000, 2000)
LIMITS = Limits()


@pytest.mark.parametrize(
    ("recipe", "facts", "limits", "number"),
    [
        ("w10", Facts(PNG, 1000, 1000), Limits(source_pixels=999_999), "1000000"),
        ("w10", Facts(PNG, 10, 101), Limits(source_side=100), "10×101; the limit of the longer side is 100"),
        ("w10", Facts(GIF, 10, 10, frames=11), Limits(source_frames=10), "11 frames"),
        ("w10", Facts(GIF, 100, 100, frames=11), Limits(animation_pixels=100_000), "110000"),
        ("frame4", Facts(GIF, 10, 10, frames=3), LIMITS, "Frame 4 does not exist; the original has 3"),
        ("w100-max20k-png", PHOTO, Limits(gif_pixels=6_699), "the limit is 6699"),
        ("crop0_0_11_10", Facts(PNG, 10, 10), LIMITS, "extends to 11×10; the original is 10×10"),
        ("crop0_0_10_11", Facts(PNG, 10, 10), LIMITS, "extends to 10×11; the original is 10×10"),
        ("w5000-up-dpr2", PHOTO, LIMITS, "8192"),
        ("jpeg", Facts(PNG, 9000, 10), LIMITS, "8192"),
        ("w8000-h8000-up", PHOTO, LIMITS, "50000000"),
        ("w4000-h3000-up-avif", PHOTO, LIMITS, "8000000"),
        ("w601-avif", PHOTO, Limits(avif_side=600), "401; the longest side is 600"),
        ("w100-gif", Facts(GIF, 100, 100, frames=50), Limits(gif_pixels=499_999), "500000 pixels; the limit is 499999"),
        ("w10-h8192-up", Facts(PNG, 8000, 10), LIMITS, "before it is cropped"),
        ("trim10-w100", Facts(PNG, 10_000, 5_001), LIMITS, "A trim requires 50010000 pixels"),
        ("crop0_0_9_9-trim10", Facts(PDF, 10_000, 5_001), LIMITS, "50010000"),
        ("crop0_0_9_9", Facts(PDF, 10_000, 5_001), LIMITS, "A crop of a vector picture requires 50010000"),
        ("w4000-h4000-up-q80-png", PHOTO, LIMITS, "the limit is 12000000"),
        ("w100", Facts(GIF, 100, 100, frames=50), Limits(output_pixels=499_999), "500000"),
    ],
)
def test_over_a_limit_the_number_is_told(recipe: str, facts: Facts, limits: Limits, number: str) -> None:
    with pytest.raises(LimitExceeded, match=number):
        resolve_plan(parse(recipe), facts, PlanContext(limits))


def test_the_defaults_are_those_of_the_settings_and_within_the_hard_caps() -> None:
    for field in fields(Limits):
        assert getattr(LIMITS, field.name) == Settings.model_fields[field.name].default
        assert getattr(LIMITS, field.name) <= getattr(HARD_CAPS, field.name)


@pytest.mark.parametrize(
    ("recipe", "facts", "limits"),
    [
        ("w100-q80-jpeg", PHOTO, Limits(gif_pixels=6_699)),
        ("w100-png", PHOTO, Limits(gif_pixels=6_699)),
        ("w100-max20k-png", PHOTO, Limits(gif_pixels=6_700)),
        ("w100", PHOTO, Limits(animation_pixels=100)),
        ("w100-png", Facts(PDF, 10_000, 5_001), LIMITS),
        ("crop0_0_9_9-png", Facts(PNG, 10_000, 5_001), LIMITS),
        ("w600-avif", PHOTO, Limits(avif_side=600)),
    ],
)
def test_a_limit_applies_to_nothing_else(recipe: str, facts: Facts, limits: Limits) -> None:
    assert resolve_plan(parse(recipe), facts, PlanContext(limits))


def test_a_trim_decodes_the_crop_alone() -> None:
    facts = Facts(PNG, 10_000, 5_001)
    assert isinstance(plan_render(parse("crop0_0_9_9-trim10"), facts, PlanContext()), Trim)


def test_a_file_may_have_as_many_bytes_as_the_limit() -> None:
    check_bytes(100, Limits(source_bytes=100))
    with pytest.raises(LimitExceeded, match="has 101 bytes; the limit is 100") as refused:
        check_bytes(101, Limits(source_bytes=100))
    assert refused.value.limit == "source_bytes"


@pytest.mark.parametrize(
    ("name", "facts", "value"),
    [
        ("source_pixels", Facts(GIF, 20, 30, frames=5), 600),
        ("source_side", Facts(GIF, 20, 30, frames=5), 30),
        ("source_side", Facts(GIF, 30, 20, frames=5), 30),
        ("source_frames", Facts(GIF, 20, 30, frames=5), 5),
        ("animation_pixels", Facts(GIF, 20, 30, frames=5), 3_000),
        ("animation_pixels", Facts(GIF, 20, 30, frames=2), 1_200),
    ],
)
def test_an_original_may_reach_each_limit(name: str, facts: Facts, value: int) -> None:
    check_source(facts, replace(LIMITS, **{name: value}))
    with pytest.raises(LimitExceeded, match=f"limit.* is {value - 1}") as refused:
        check_source(facts, replace(LIMITS, **{name: value - 1}))
    assert refused.value.limit == name


@pytest.mark.parametrize(
    ("name", "output", "frames", "palette", "value"),
    [
        ("output_side", WEBP, 1, False, 30),
        ("output_pixels", WEBP, 1, False, 600),
        ("output_pixels", WEBP, 5, False, 3_000),
        ("avif_side", AVIF, 1, False, 30),
        ("avif_pixels", AVIF, 1, False, 600),
        ("gif_pixels", GIF, 5, False, 3_000),
        ("gif_pixels", PNG, 1, True, 600),
    ],
)
def test_a_derivative_may_reach_each_limit(name: str, output: Format, frames: int, palette: bool, value: int) -> None:
    check_output(output, Size(20, 30), frames, replace(LIMITS, **{name: value}), palette=palette)
    with pytest.raises(LimitExceeded) as refused:
        check_output(output, Size(20, 30), frames, replace(LIMITS, **{name: value - 1}), palette=palette)
    assert str(value - 1) in refused.value.detail


def test_a_format_of_a_limit_is_named() -> None:
    with pytest.raises(LimitExceeded, match=r"^The AVIF would have 600 pixels; the limit is 599"):
        check_output(AVIF, Size(20, 30), 1, Limits(avif_pixels=599))


def test_a_side_may_not_exceed_that_of_the_format() -> None:
    check_output(WEBP, Size(16_383, 1), 1, HARD_CAPS)
    with pytest.raises(LimitExceeded, match="16383"):
        check_output(WEBP, Size(16_384, 1), 1, replace(HARD_CAPS, output_side=20_000))


def test_intermediate_pictures_may_reach_the_limit() -> None:
    limits = Limits(output_pixels=600)
    check_decoded("A trim", Size(20, 30), limits)
    check_work(Size(1, 1), Size(20, 30), limits)
    check_work(Size(31, 20), Size(31, 20), limits)
    with pytest.raises(LimitExceeded, match=r"A trim requires 620 pixels .*; the limit is 600"):
        check_decoded("A trim", Size(20, 31), limits)
    with pytest.raises(LimitExceeded, match=r"enlarged to 620 pixels .*; the limit is 600"):
        check_work(Size(1, 1), Size(20, 31), limits)
