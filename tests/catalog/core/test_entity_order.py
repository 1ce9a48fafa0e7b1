"""The order of an entity's images, and its one primary image."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.core.entity_order import EntityOrder, OrderConflict, link, make_primary, reorder, unlink

ABC = EntityOrder(("a", "b", "c"), "b")


def test_the_first_image_is_primary_and_later_ones_are_not() -> None:
    assert link(link(EntityOrder(), "a"), "b") == EntityOrder(("a", "b"), "a")


@pytest.mark.parametrize(
    ("position", "images"), [(0, "dabc"), (1, "adbc"), (3, "abcd"), (99, "abcd"), (-5, "dabc"), (None, "abcd")]
)
def test_an_image_is_linked_at_its_position(position: int | None, images: str) -> None:
    assert link(ABC, "d", position) == EntityOrder(tuple(images), "b")


def test_linking_again_moves_only_where_a_position_is_given() -> None:
    assert link(ABC, "a") == ABC
    assert link(ABC, "a", 2).images == ("b", "c", "a")


def test_primary_is_given_and_taken() -> None:
    assert link(ABC, "c", primary=True).primary == "c"
    assert link(ABC, "b", primary=False).primary == "a"
    assert link(EntityOrder(("a",), "a"), "a", primary=False).primary == "a"
    assert make_primary(ABC, "c").primary == "c"
    with pytest.raises(OrderConflict, match="not linked"):
        make_primary(ABC, "x")


@pytest.mark.parametrize(("gone", "primary"), [("a", "b"), ("b", "c"), ("c", "b"), ("x", "b")])
def test_when_the_primary_goes_the_next_in_order_becomes_it(gone: str, primary: str) -> None:
    assert unlink(ABC, gone).primary == primary


def test_when_the_last_in_order_was_primary_the_one_before_becomes_it() -> None:
    assert unlink(EntityOrder(("a", "b"), "b"), "b") == EntityOrder(("a",), "a")


def test_an_order_names_every_image_once() -> None:
    assert reorder(ABC, ("c", "a", "b")) == EntityOrder(("c", "a", "b"), "b")
    for wrong in (("a", "b"), ("a", "b", "c", "d"), ("a", "b", "b"), ()):
        with pytest.raises(OrderConflict, match="exactly once"):
            reorder(ABC, wrong)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["link", "unlink", "primary"]),
            st.sampled_from("abcde"),
            st.none() | st.integers(-2, 7),
            st.none() | st.booleans(),
        ),
        max_size=30,
    )
)
def test_there_is_exactly_one_primary_after_any_changes(
    changes: list[tuple[str, str, int | None, bool | None]],
) -> None:
    """EntityOrder itself refuses to exist otherwise."""
    order = EntityOrder()
    for verb, image, position, primary in changes:
        if verb == "link":
            order = link(order, image, position, primary=primary)
        elif verb == "unlink":
            order = unlink(order, image)
        elif image in order.images:
            order = make_primary(order, image)
    assert (order.primary is None) == (not order.images)
