"""Placeholders against what the reference implementations (npm blurhash 2, thumbhash 0.1) say of the same pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.media.placeholders import blurhash, thumbhash


def pixels(width: int, height: int, *, clear: bool = False) -> bytes:
    """Make the pixels that the vectors are of, four bytes each."""
    return b"".join(
        bytes(
            [
                (x * 37 + y * 11) % 256,
                (x * 5 + y * 53) % 256,
                (255 - x * 3 - y * 29 + 512) % 256,
                (x * y * 9) % 256 if clear else 255,
            ]
        )
        for y in range(height)
        for x in range(width)
    )


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (8, 6, "L~GS1sOHE*$+rkS7a}sEV7jcoLai"),
        (6, 8, "T|G*s?FzNeXFW@o2Q|nnbHvqS5fk"),
        (7, 7, "L~Hd,vFzJU$+swNzsVWsV7aioLaP"),
        (5, 1, "L~AtD.N*Wrsc,#N*Wrsc,#N*Wrsc"),
    ],
)
def test_a_blurhash_is_the_reference_s(width: int, height: int, expected: str) -> None:
    rgb = bytes(value for at, value in enumerate(pixels(width, height)) if at % 4 != 3)
    assert blurhash(width, height, rgb) == expected


@pytest.mark.parametrize(
    ("width", "height", "clear", "expected"),
    [
        (6, 8, False, "HycKdRBwd3x4GHhYh4tnV3RwBXbW"),
        (7, 7, True, "o1iGDQQUpGl8Z7CYqIOwd2T3QHiQeqSFdw=="),
        (5, 1, False, "m3E2maGHd4iIiAiIh4dPhwg="),
    ],
)
def test_a_thumbhash_is_the_reference_s(width: int, height: int, clear: bool, expected: str) -> None:
    assert thumbhash(width, height, pixels(width, height, clear=clear)) == expected


@given(st.integers(1, 12), st.integers(1, 12), st.randoms(use_true_random=False))
def test_any_pixels_have_placeholders(width: int, height: int, chance: object) -> None:
    body = bytes(chance.randrange(256) for _ in range(4 * width * height))  # type: ignore[attr-defined]
    assert len(blurhash(width, height, body[: 3 * width * height])) == 28
    assert 8 <= len(thumbhash(width, height, body)) <= 36
