"""The order of an entity's images: pure functions from one order to the next.

An order is a tuple of image ids, first to last, and which of them is primary. Invariant: an entity with images has
exactly one primary image; an entity without images has none. Every function returns an order that keeps it.
"""

from dataclasses import dataclass, replace

MAX_IMAGES = 10_000
"""Images that one entity may have."""


class OrderConflict(ValueError):
    """The change does not fit the order; the message says what to do."""


@dataclass(frozen=True, slots=True)
class EntityOrder:
    """Images of one entity, in order."""

    images: tuple[str, ...] = ()
    primary: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.images)) != len(self.images):
            raise ValueError("an image is listed twice")
        if (self.primary is None) != (not self.images) or (
            self.primary is not None and self.primary not in self.images
        ):
            raise ValueError("an order with images has exactly one primary image")


def link(order: EntityOrder, image: str, position: int | None = None, *, primary: bool | None = None) -> EntityOrder:
    """Return the order with `image` at `position` (0 is first; the end by default), moved there if it is linked.

    `primary` true makes it the primary image; false takes that from it if another image can have it; None leaves it.
    """
    others = tuple(other for other in order.images if other != image)
    if len(others) >= MAX_IMAGES:
        raise OrderConflict(f"An entity has at most {MAX_IMAGES} images: unlink some first.")
    if position is None:
        position = order.images.index(image) if image in order.images else len(others)
    at = max(0, min(position, len(others)))
    images = (*others[:at], image, *others[at:])
    if primary or order.primary is None:
        return EntityOrder(images, image)
    if primary is False and order.primary == image and others:
        return EntityOrder(images, others[0])
    return EntityOrder(images, order.primary)


def unlink(order: EntityOrder, image: str) -> EntityOrder:
    """Return the order without `image`; if it was primary, the next in order becomes it, else the first."""
    if image not in order.images:
        return order
    at = order.images.index(image)
    images = (*order.images[:at], *order.images[at + 1 :])
    if order.primary != image:
        return replace(order, images=images)
    return EntityOrder(images, images[min(at, len(images) - 1)] if images else None)


def reorder(order: EntityOrder, images: tuple[str, ...]) -> EntityOrder:
    """Return the order with its images as listed. Raise OrderConflict unless exactly the linked images are listed."""
    if len(images) != len(order.images) or set(images) != set(order.images):
        raise OrderConflict("The list must name every image of the entity exactly once: read the order again.")
    return replace(order, images=images)


def make_primary(order: EntityOrder, image: str) -> EntityOrder:
    """Return the order with `image` as primary. Raise OrderConflict if it is not linked."""
    if image not in order.images:
        raise OrderConflict("The image is not linked to the entity: link it first.")
    return replace(order, primary=image)
