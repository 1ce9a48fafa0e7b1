"""Conversions: checked when they are asked for, done by a job."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from catalog.audit.service import record
from catalog.core.api_errors import FieldError, ValidationFailed
from catalog.core.job_state import Priority
from catalog.core.origin import Origin
from catalog.core.roles import Principal
from catalog.images.focal_points import point_of_image
from catalog.images.service import CENTRE
from catalog.jobs.enqueue import enqueue
from catalog.records.image import Image
from catalog.records.job import Job
from catalog.urls.image_urls import ImageUrls
from proxy.core.media.formats import Format
from proxy.core.recipe import grammar
from proxy.core.recipe.recipe import Recipe

KIND: Final = "image.convert"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a job is to make of an image."""

    recipe: str
    """Canonical, with format and focal point."""
    keep: str
    """`derivative` or `image`."""
    focus: tuple[float, float]
    """Where the focal point of the converted image is."""

    def parameters(self, image: Image) -> Mapping[str, Any]:
        """Return the parameters of the job; the bytes are those that the image stands on now."""
        return {"original": image.original, "recipe": self.recipe, "keep": self.keep, "focus": list(self.focus)}


def plan_conversion(
    urls: ImageUrls, format_name: str, recipe: str | None, keep: str, readable: tuple[Format, ...]
) -> Conversion:
    """Return a conversion that can be done, as far as facts and limits tell.

    Raise ValidationFailed for a format that cannot be written (or not be read again, for a new image), RecipeError,
    LimitExceeded.
    """
    written = [known.name for known in urls.planner.capabilities.writes]
    if format_name not in written:
        raise _wrong("/format", "unknown-format", f"This format cannot be written. Formats: {', '.join(written)}.")
    names = [known.name for known in readable]
    if keep == "image" and format_name not in names:
        detail = f"Originals in this format are not accepted: keep the derivative, or choose one of {', '.join(names)}."
        raise _wrong("/format", "unreadable-format", detail)
    options = grammar.parse(recipe) if recipe else Recipe()
    if options.format not in {None, format_name}:
        raise _wrong("/recipe", "other-format", "The recipe has another format: leave it out there.")
    converted = grammar.parse(str(replace(options, format=format_name)))
    urls.planner.plan(converted)
    return Conversion(urls.link(converted).recipe, keep, _focus_after(urls.image, urls.planner.expand(converted)))


async def request_conversion(
    session: AsyncSession, principal: Principal, origin: Origin, image: Image, conversion: Conversion
) -> Job:
    """Queue a conversion; the same one is queued once at a time."""
    name = sha256(f"{image.original} {conversion.keep} {conversion.recipe}".encode()).hexdigest()
    job = await enqueue(
        session,
        principal,
        KIND,
        conversion.parameters(image),
        Priority.PERSON,
        image=image.id,
        dedupe_key=f"{KIND}/{image.id}/{name}",
    )
    after = {"job": job.id, "recipe": conversion.recipe, "keep": conversion.keep}
    await record(session, principal, origin, "image.conversion-requested", ("image", image.id), after=after)
    return job


def _focus_after(image: Image, expanded: Recipe) -> tuple[float, float]:
    """Return where the focal point is in the converted image; the centre where the conversion centres on it."""
    point = point_of_image(image)
    reframed = expanded.crops_to_cover or expanded.fit == "contain" or expanded.pad is not None
    focus = None if point is None or reframed else point.after(expanded)
    return (CENTRE, CENTRE) if focus is None else (float(focus.x), float(focus.y))


def _wrong(at: str, code: str, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError(at, code, detail)])
