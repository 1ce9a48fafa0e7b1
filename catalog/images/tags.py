"""Tags as they are given one by one, outside of a request whose schema checks them."""

from collections.abc import Sequence

from catalog.api.fields import check_tag
from catalog.core.api_errors import FieldError, ValidationFailed
from catalog.records.image import MAX_TAGS, TAG_LENGTH


def changed_tags(before: Sequence[str], added: Sequence[str], removed: Sequence[str]) -> tuple[str, ...]:
    """Return tags with some added and others removed, sorted. Raise ValidationFailed for one that cannot be a tag."""
    tags = ({*before} | {_checked(tag) for tag in added}) - set(removed)
    if len(tags) > MAX_TAGS:
        raise ValidationFailed([FieldError("/tags", "too-long", f"An image has at most {MAX_TAGS} tags.")])
    return tuple(sorted(tags))


def _checked(tag: str) -> str:
    try:
        checked = check_tag(tag)
    except ValueError as error:
        raise ValidationFailed([FieldError("/tags", "value-error", str(error))]) from None
    if len(checked) > TAG_LENGTH:
        raise ValidationFailed([FieldError("/tags", "too-long", f"A tag has at most {TAG_LENGTH} characters.")])
    return checked
