"""Keys, ETags and conditional requests are functions of the URL, the client class and the renderer version."""

from dataclasses import replace
from hashlib import sha256

import pytest

from proxy.core.caching import VariantKey, cache_control, derivative_key, error_cache_control, etag, matches
from proxy.core.identifiers import Digest, RendererVersion, TenantName, split_derivative_key

G, H = RendererVersion("1-8.18.7"), "a" * 64
SHAPE = VariantKey(G, "w320-webp")
TAG = etag(H, SHAPE)


def test_an_etag_is_strong_and_quoted() -> None:
    assert TAG.startswith('"')
    assert TAG.endswith('"')
    assert len(TAG) == 34


def test_every_part_that_shapes_the_bytes_shapes_the_names() -> None:
    others = [
        etag(H, replace(SHAPE, renderer_version=RendererVersion("1-8.18.8"))),
        etag("b" * 64, SHAPE),
        etag(H, replace(SHAPE, recipe="w321-webp")),
        etag(H, replace(SHAPE, client="avif")),
        etag(H, replace(SHAPE, rendering="l")),
        etag(H, replace(SHAPE, watermark="b" * 64)),
        etag(H, replace(SHAPE, cache_epoch=1)),
        etag(H, replace(SHAPE, cache_epoch=2)),
    ]
    assert len({TAG, *others}) == 9


def test_what_a_tenant_leaves_as_it_was_leaves_the_names_as_they_were() -> None:
    """A new field must not change all existing keys."""
    first = f"{G}\n{H}\nw320-webp\n"
    third = f"{first}\nepoch 2"
    assert SHAPE.fingerprint(H) == sha256(first.encode()).hexdigest()
    assert replace(SHAPE, cache_epoch=2).fingerprint(H) == sha256(third.encode()).hexdigest()


def test_two_tenants_share_an_etag_and_no_key() -> None:
    names = [TenantName("acme"), TenantName("bolt")]
    acme, bolt = (
        split_derivative_key(derivative_key(name, Digest(H), VariantKey(G, "auto", "webp"))) for name in names
    )
    assert acme.variant == bolt.variant
    assert [acme.tenant, bolt.tenant] == names


@pytest.mark.parametrize(
    ("lifetime_s", "expected"),
    [
        (None, "public, max-age=3600, stale-while-revalidate=86400, stale-if-error=604800"),
        (90, "public, max-age=90"),
        (7200, "public, max-age=3600"),
        (-1, "public, max-age=0"),
    ],
)
def test_what_is_named_is_asked_for_again(lifetime_s: int | None, expected: str) -> None:
    assert cache_control(lifetime_s, 3_600) == expected


@pytest.mark.parametrize(
    ("header", "fits"),
    [
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"other", {TAG}', True),
        (f'"other",W/{TAG} , "third"', True),
        ('"other"', False),
        (TAG.strip('"'), False),
        (TAG[:-2] + '"', False),
        ("*", False),
        ("", False),
    ],
)
def test_if_none_match_is_compared_weakly(header: str, fits: bool) -> None:
    """RFC 9110 §13.1.2 and §8.8.3.2."""
    assert matches(header, TAG) is fits


@pytest.mark.parametrize(
    ("lifetime_s", "max_age_s"), [(None, 31_536_000), (90, 90), (0, 0), (-5, 0), (10**9, 31_536_000)]
)
def test_a_picture_is_kept_for_a_year_or_until_its_link_ends(lifetime_s: int | None, max_age_s: int) -> None:
    assert cache_control(lifetime_s) == f"public, max-age={max_age_s}, immutable"


def test_a_refusal_without_lifetime_is_not_stored() -> None:
    assert error_cache_control(None) == "no-store"
    assert error_cache_control(30) == "public, max-age=30"
