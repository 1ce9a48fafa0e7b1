"""URLs: errors are raised before a path is signed, and seals are those of the contract."""

from dataclasses import replace
from fractions import Fraction

import pytest

from catalog.core.errors import FocusConflict
from catalog.core.focus_geometry import FocalPoint
from catalog.images.focal_points import read_focus
from catalog.images.url_builder import LATEST_EXPIRY, build_url, read_expiry, read_path
from proxy.core.errors import MalformedRequest, RecipeError, TargetTooLong
from proxy.core.geometry import Size
from proxy.core.identifiers import TenantName
from proxy.core.recipe.grammar import expand, parse
from proxy.core.recipe.values import Focus
from proxy.core.tenant import Tenant
from proxy.core.url.signing import SigningKey

DIGEST = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
PATH = f"/t/acme/{DIGEST}/w320-h180-webp"
ACME = Tenant(
    TenantName("acme"), (SigningKey.derive("correct-horse-battery-staple"), SigningKey.derive("an-older-secret-x"))
)
POINT = FocalPoint(Focus(Fraction(3, 10), Fraction(6, 10)), Size(600, 400))
NOW_S = 1_800_000_000


@pytest.mark.parametrize(
    ("expires", "query"),
    [
        (None, "?s=OeCAFYkyrny7KpySP1JiPLb_guz-lQ4lj32Sx93vxRs"),
        (1893456000, "?e=1893456000&s=7pllKXUEWOCD-nLP3NfM4rFGWdhpCTQ9HHecvSb1oyk"),
    ],
)
@pytest.mark.parametrize("base_url", ["https://img.example", "https://img.example/"])
def test_urls_carry_the_seals_of_the_contract(base_url: str, expires: int | None, query: str) -> None:
    assert build_url(base_url, ACME, read_path(PATH, expires)) == f"https://img.example{PATH}{query}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "t/acme",
        "/t/acme/abc/w320-webp",
        f"/t/ACME/{DIGEST}/webp",
        f"/t/acme/{DIGEST}/",
        PATH + "?s=x",
        PATH + "?e=5",
        PATH + "/x",
        PATH + "%20",
        PATH + "ü",
        PATH + "\udc80",
        "https://img.example" + PATH,
    ],
)
def test_a_path_of_another_shape_is_refused(path: str) -> None:
    with pytest.raises(MalformedRequest):
        read_path(path)


@pytest.mark.parametrize(
    ("recipe", "minted"),
    [
        ("w320-h180-webp", "w320-h180-fp0.3_0.6-webp"),
        ("w320-ar16_9-webp", "w320-ar16_9-fp0.3_0.6-webp"),
        ("~card", "~card-fp0.3_0.6"),
        ("~card-w640", "~card-w640-fp0.3_0.6"),
        ("~smart", "~smart"),
        ("w320-webp", "w320-webp"),
        ("w320-h180-inside-webp", "w320-h180-inside-webp"),
        ("w320-h180-gn-webp", "w320-h180-gn-webp"),
        ("w320-h180-fp0.1_0.1-webp", "w320-h180-fp0.1_0.1-webp"),
        ("rot90-w320-h180-webp", "rot90-w320-h180-fp0.4_0.3-webp"),
        ("flip-w320-h180-webp", "flip-w320-h180-fp0.3_0.4-webp"),
        ("flop-w320-h180-webp", "flop-w320-h180-fp0.7_0.6-webp"),
        ("rot90-flop-w320-h180-webp", "rot90-flop-w320-h180-fp0.6_0.3-webp"),
        ("crop0_0_10_10-w320-h180-webp", "crop0_0_10_10-w320-h180-fp1_1-webp"),
        ("crop150_200_100_100-w320-h180-webp", "crop150_200_100_100-w320-h180-fp0.3_0.4-webp"),
        ("crop0.25_0.5_0.3_0.4-w320-h180", "crop0.25_0.5_0.3_0.4-w320-h180-fp0.1667_0.25"),
        ("crop150_200_100_100-rot90-w320-h180", "crop150_200_100_100-rot90-w320-h180-fp0.6_0.3"),
        ("rot90-w320-webp", "rot90-w320-webp"),
        ("trim10-w320-h180-webp", "trim10-w320-h180-webp"),
        ("~turned", "~turned-fp0.4_0.3"),
        ("json", "json"),
    ],
)
def test_a_known_focal_point_is_written_where_the_place_is_open(recipe: str, minted: str) -> None:
    recipes = {"card": "w400-h300-auto", "smart": "w400-h300-gsmart-auto", "turned": "rot90-w400-h300-auto"}
    presets = {name: parse(text) for name, text in recipes.items()}
    url = build_url("", replace(ACME, presets=presets), read_path(f"/t/acme/{DIGEST}/{recipe}"), POINT)
    assert url.partition("?")[0] == f"/t/acme/{DIGEST}/{minted}"


def test_a_minted_focal_point_outlives_what_its_preset_was() -> None:
    """The preset no longer crops, and the image is rendered without the point."""
    recipe = parse("~card-fp0.3_0.6")
    assert str(expand(recipe, {"card": parse("w400-h300-webp")})) == "w400-h300-fp0.3_0.6-webp"
    assert str(expand(recipe, {"card": parse("w400-webp")})) == "w400-webp"


@pytest.mark.parametrize("text", ["0.3", "0.3_0.6-gray", "2_2", "0.30_0.6", "a_b", "0.3_0.6_0.1", ""])
def test_what_is_no_focal_point_is_refused(text: str) -> None:
    with pytest.raises(FocusConflict):
        read_focus(text)


def test_a_misspelled_recipe_is_refused_with_the_right_spelling() -> None:
    with pytest.raises(RecipeError) as fault:
        read_path(f"/t/acme/{DIGEST}/h180-w0320-webp")
    assert fault.value.right == "w320-h180-webp"


def test_a_url_is_not_minted_that_would_be_refused_as_too_long() -> None:
    """The seal and the expiry count."""
    longest = 2_048 - len(f"/t/acme/~/w320-webps={'0' * 43}")
    assert read_path(f"/t/acme/~{'a' * min(longest, 1_400)}/w320-webp")
    with pytest.raises((MalformedRequest, TargetTooLong)):
        read_path(f"/t/acme/~{'a' * (longest + 1)}/w320-webp")


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("1s", NOW_S + 1),
        ("90s", NOW_S + 90),
        ("30m", NOW_S + 1_800),
        ("1h", NOW_S + 3_600),
        ("7d", NOW_S + 604_800),
        ("365d", NOW_S + 31_536_000),
        (str(NOW_S + 1), NOW_S + 1),
        (str(LATEST_EXPIRY), LATEST_EXPIRY),
    ],
)
def test_expiries_are_spans_or_unix_times(text: str, expires: int) -> None:
    assert read_expiry(text, NOW_S) == expires


@pytest.mark.parametrize(
    "text",
    [
        *("", "0", "0h", "h", "1", "-1h", "+1h", " 1h", "1h ", "1H", "1.5h", "1y", "1w", "01h", "1h30m", "١h", "1e9"),
        *(str(NOW_S), str(NOW_S - 1), str(LATEST_EXPIRY + 1), "999999999d", "9999999999999999d", "tomorrow"),
    ],
)
def test_anything_else_and_the_past_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="specify a"):
        read_expiry(text, NOW_S)
