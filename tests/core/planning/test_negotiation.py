"""Negotiation of `auto`: the class of a client from its Accept header, and the format it receives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.facts import Facts
from proxy.core.media.formats import AVIF, GIF, HEIC, JPEG, PNG, SVG, WEBP, Format
from proxy.core.planning.negotiation import Client, choose_format, client_class

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "client"),
    [
        (CHROME, "avif"),
        ("image/webp,*/*", "webp"),
        ("image/avif", "avif"),
        ("IMAGE/AVIF", "avif"),
        ("image/avif;q=0.5,image/webp", "webp"),
        ("image/avif;q=0.9,image/webp;q=0.9", "avif"),
        ("image/avif;q=0,image/webp", "webp"),
        ("image/avif;q=0,image/webp;q=0.000", "base"),
        ("image/webp;q=0", "base"),
        ("IMAGE/AVIF , image/webp", "avif"),
        ("Image/Webp", "webp"),
        ("image/webp,IMAGE/AVIF;Q=0.5", "webp"),
        ("image/avif;q=1,image/webp;q=0.5", "avif"),
        ("image/avif;q =0", "base"),
        ("image/avif;q= 0", "base"),
        ("image/avif;q=1.5", "base"),
        ("image/avif;q=-1", "base"),
        ("x," * 495 + "image/avif", "avif"),
        ("x," * 495 + ",image/avif", "base"),
        ("image/avif ; q=0.1", "avif"),
        ("image/avif;level=1;q=0.3,image/webp;q=0.2", "avif"),
        ("image/avif;q=x", "base"),
        ("image/avif;q=7", "base"),
        ("image/avif;q=nan", "base"),
        ("image/*", "base"),
        ("*/*", "base"),
        ("", "base"),
        ("text/html,image/webpx", "base"),
    ],
)
def test_accept_names_one_of_three_classes(accept: str, client: Client) -> None:
    assert client_class(accept) == client


@given(st.text(max_size=200))
def test_any_header_has_a_class(accept: str) -> None:
    assert client_class(accept) in ("avif", "webp", "base")


@pytest.mark.parametrize(
    ("client", "alpha", "animated", "affordable", "given"),
    [
        ("avif", False, False, True, AVIF),
        ("avif", True, False, True, AVIF),
        ("avif", False, False, False, WEBP),
        ("avif", False, True, True, WEBP),
        ("webp", False, False, True, WEBP),
        ("webp", True, True, True, WEBP),
        ("base", False, False, True, JPEG),
        ("base", True, False, True, PNG),
        ("base", True, True, True, GIF),
    ],
)
def test_auto_gives_the_best_the_client_reads(
    client: Client, alpha: bool, animated: bool, affordable: bool, given: object
) -> None:
    facts = Facts(GIF if animated else PNG, 10, 10, frames=3 if animated else 1, alpha=alpha)
    assert choose_format("auto", facts, client, animated=animated, within_avif_budget=affordable) is given


@pytest.mark.parametrize(
    ("requested", "source", "alpha", "output"),
    [
        (None, PNG, False, PNG),
        (None, GIF, True, GIF),
        (None, HEIC, False, JPEG),
        (None, HEIC, True, PNG),
        (None, SVG, False, PNG),
        ("jpeg", PNG, True, JPEG),
        ("lqip", PNG, True, WEBP),
    ],
)
def test_a_named_format_is_used_and_otherwise_that_of_the_original(
    requested: str | None, source: Format, alpha: bool, output: Format
) -> None:
    facts = Facts(source, 10, 10, alpha=alpha)
    assert choose_format(requested, facts, "avif", animated=False, within_avif_budget=True) is output
