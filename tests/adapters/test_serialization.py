"""A derivative as one value: it is read back whole, under its own key, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.adapters.serialization import MAX_OVERHEAD_BYTES, deserialize, metadata_digest, serialize
from proxy.core.media.derivative import Derivative
from proxy.core.media.formats import FORMATS
from tests.adapters.samples import OTHER, PICTURE, key

KEY = key("one")

derivatives = st.builds(
    Derivative,
    body=st.binary(max_size=300),
    format=st.sampled_from(sorted(FORMATS.values(), key=str)),
    width=st.integers(1, 16_383),
    height=st.integers(1, 16_383),
)


@given(derivatives)
def test_what_is_serialized_is_deserialized(derivative: Derivative) -> None:
    assert deserialize(KEY, serialize(KEY, derivative)) == derivative


@given(derivatives)
def test_the_overhead_is_bounded(derivative: Derivative) -> None:
    assert len(serialize(KEY, derivative)) <= len(derivative.body) + MAX_OVERHEAD_BYTES


@given(derivatives, st.data())
def test_one_changed_bit_anywhere_is_damage(derivative: Derivative, data: st.DataObject) -> None:
    value = bytearray(serialize(KEY, derivative))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(ValueError, match="serialized derivative"):
        deserialize(KEY, bytes(value))


@given(derivatives, st.data())
def test_a_missing_or_added_end_is_damage(derivative: Derivative, data: st.DataObject) -> None:
    value = serialize(KEY, derivative)
    for wrong in (value[: data.draw(st.integers(0, len(value) - 1))], value + b"x"):
        with pytest.raises(ValueError, match="serialized derivative"):
            deserialize(KEY, wrong)


@pytest.mark.parametrize("other", [key("two"), key("one", OTHER)], ids=["variant", "tenant"])
def test_a_value_under_another_key_is_rejected(other: str) -> None:
    with pytest.raises(ValueError, match="another key"):
        deserialize(other, serialize(KEY, PICTURE))  # type: ignore[arg-type]


def test_the_metadata_digest_covers_key_labels_and_body() -> None:
    labels = PICTURE.labels()
    digests = {
        metadata_digest(KEY, labels, b"body"),
        metadata_digest(key("two"), labels, b"body"),
        metadata_digest(KEY, labels | {"width": "1"}, b"body"),
        metadata_digest(KEY, labels, b"other"),
    }
    assert len(digests) == 4
