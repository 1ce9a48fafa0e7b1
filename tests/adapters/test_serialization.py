"""A derivative as one value: it comes back whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.adapters.serialization import LARGEST_HEAD_BYTES, pack, unpack
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import FORMATS

derivatives = st.builds(
    Derivative,
    body=st.binary(max_size=300),
    format=st.sampled_from(sorted(FORMATS.values(), key=str)),
    width=st.integers(1, 16_383),
    height=st.integers(1, 16_383),
)


@given(derivatives)
def test_what_is_packed_is_unpacked(derivative: Derivative) -> None:
    assert unpack(pack(derivative)) == derivative


@given(derivatives)
def test_an_envelope_adds_no_more_than_it_says(derivative: Derivative) -> None:
    assert len(pack(derivative)) <= len(derivative.body) + LARGEST_HEAD_BYTES


@given(derivatives, st.data())
def test_one_changed_bit_anywhere_is_damage(derivative: Derivative, data: st.DataObject) -> None:
    value = bytearray(pack(derivative))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError, match="envelope"):
        unpack(bytes(value))


@given(derivatives, st.data())
def test_a_missing_or_added_end_is_damage(derivative: Derivative, data: st.DataObject) -> None:
    value = pack(derivative)
    for wrong in (value[: data.draw(st.integers(0, len(value) - 1))], value + b"x"):
        with pytest.raises(ValueError, match="envelope"):
            unpack(wrong)
