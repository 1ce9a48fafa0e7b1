"""Renders a plan."""

import pyvips

from proxy.core.derivative import Derivative
from proxy.core.errors import Damaged
from proxy.core.plan import Plan

SUFFIX = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "gif": ".gif", "avif": ".avif"}


def render(fd: int, plan: Plan) -> Derivative:
    """Resize and encode."""
    try:
        source = pyvips.Source.new_from_descriptor(fd)
        image = pyvips.Image.thumbnail_source(
            source,
            plan.size.width,
            height=plan.size.height,
            size="force",
            fail_on="truncated",
        )
        kind = plan.encoding.format
        options = {"effort": plan.encoding.effort} if kind.name in ("webp", "avif") else {}
        body = image.write_to_buffer(SUFFIX[kind.name], **options)
    except pyvips.Error as error:
        raise Damaged("The original does not decode to its end.") from error
    return Derivative(body, kind, image.width, image.height)
