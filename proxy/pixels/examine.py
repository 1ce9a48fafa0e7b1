"""Examine an original: decode it to its end once, and tell all that can be told from that.

The decode is a reduction to SAMPLE_SIDE pixels. Decoders read their input to its end for it, so what is damaged or
truncated fails here. Frames of an animation beyond the first are decoded and thrown away.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pyvips

from proxy.core.errors import CorruptImage, DarkroomError
from proxy.core.media import tiff
from proxy.core.media.details import Details, read_details
from proxy.core.media.dominant_colours import dominant_colours, mean_colour
from proxy.core.media.examination import Examination
from proxy.core.media.extent import Truncated, find_end
from proxy.core.media.facts import Facts
from proxy.core.media.formats import JPEG, PAGED
from proxy.core.media.perceptual_hash import SIDE as HASH_SIDE
from proxy.core.media.perceptual_hash import perceptual_hash
from proxy.core.media.placeholders import thumbhash
from proxy.core.media.quality_score import SAMPLE_SIDE, Measurements, Quality, judge
from proxy.pixels import extras
from proxy.pixels.colour import to_display
from proxy.pixels.metadata import plain_fields, rights_of, title_and_moment_of
from proxy.pixels.probe import probe
from proxy.pixels.source import DECODE_ERRORS, open_image, reader, to_refusal

_SMALL_SIDE = 48
"""Longer side of the copy for thumbhash and colours. A thumbhash keeps at most seven waves a side: the 100 pixels that
its author allows take four times as long, and make the same."""
_LAPLACIAN = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
_NOISE = [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]
_NOISE_FACTOR = (3.141592653589793 / 2) ** 0.5 / 6
_BLOCK_SIDE = 16
_GREY_LEVELS = 256

Part = TypeVar("Part")


def examine(fd: int) -> Examination:
    """Decode the original behind `fd` and describe it. Raise UnsupportedFormat or CorruptImage.

    A part that fails by itself is named in `failed`; the image is usable without it.
    """
    facts = probe(fd)
    try:
        image = _open(fd, facts)
        sample = _sample(image, facts)
        opaque = sample.flatten(background=255) if sample.hasalpha() else sample
        grey = opaque.colourspace("b-w")[0].copy_memory()
        small = sample.thumbnail_image(_SMALL_SIDE, height=_SMALL_SIDE, size="down").copy_memory()
        _decode_rest(fd, facts)
    except DECODE_ERRORS as error:
        raise to_refusal(error) from error
    end = _find_end(fd, facts)
    failed: list[str] = []

    def attempt(name: str, compute: Callable[[], Part]) -> Part | None:
        try:
            return compute()
        except (*DECODE_ERRORS, DarkroomError, ValueError, ArithmeticError):
            failed.append(name)
            return None

    colours = attempt("colours", lambda: _colours(small))
    return Examination(
        facts=facts,
        details=attempt("details", lambda: _details(image)),
        thumbhash=attempt("thumbhash", lambda: _thumbhash(small)),
        color=None if colours is None else colours[0],
        colors=() if colours is None else tuple(colours[1]),
        phash=attempt("hash", lambda: _hash(grey)),
        quality=attempt("quality", lambda: _quality(grey, facts)),
        end_bytes=end,
        failed=tuple(failed),
    )


def _find_end(fd: int, facts: Facts) -> int | None:
    """Return where the image ends. Decoders forgive an animation that lacks its last frames; this does not."""
    try:
        return find_end(reader(fd), os.fstat(fd).st_size, facts.format)
    except Truncated as error:
        raise CorruptImage(f"The image is truncated: {error}.") from error


def _open(fd: int, facts: Facts) -> pyvips.Image:
    """Open the first frame; a JPEG is reduced while it is read, but reads its entropy-coded data to the end."""
    longest = max(facts.width, facts.height)
    shrink = next((factor for factor in (8, 4, 2) if longest // factor >= SAMPLE_SIDE), 1)
    return open_image(fd, facts.format, **({"shrink": shrink} if facts.format is JPEG else {}))


def _sample(image: pyvips.Image, facts: Facts) -> pyvips.Image:
    """Return the upright sample in memory, eight bits of sRGB or grey with or without alpha."""
    scale = min(1.0, SAMPLE_SIDE / max(image.width, image.height))
    small = image if scale == 1.0 else image.resize(scale)
    shown = to_display(small.copy_memory())
    turned = shown.copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", facts.orientation)
    return turned.autorot().copy_memory()


def _decode_rest(fd: int, facts: Facts) -> None:
    """Decode the frames after the first; what a format counts as pages are pictures of their own."""
    if facts.frames > 1 and facts.format not in PAGED and facts.format not in extras.EXTRAS:
        open_image(fd, facts.format, n=-1).avg()


def _details(image: pyvips.Image) -> Details:
    title, created = title_and_moment_of(image)
    return read_details(plain_fields(image), rights_of(image).get(tiff.COPYRIGHT), title, created)


def _colours(small: pyvips.Image) -> tuple[str, list[str]]:
    pixels = _pixels(small.flatten(background=255) if small.hasalpha() else small, 3)
    return mean_colour(pixels), dominant_colours(pixels)


def _thumbhash(small: pyvips.Image) -> str:
    coloured = small if small.hasalpha() else small.bandjoin(255)
    return thumbhash(small.width, small.height, _pixels(coloured, 4))


def _hash(grey: pyvips.Image) -> str:
    return perceptual_hash(_pixels(grey.thumbnail_image(HASH_SIDE, height=HASH_SIDE, size="force"), 1))


def _quality(grey: pyvips.Image, facts: Facts) -> Quality:
    edges = grey.cast("float").conv(pyvips.Image.new_from_array(_LAPLACIAN), precision="float")
    noise = grey.cast("float").conv(pyvips.Image.new_from_array(_NOISE), precision="float").abs().copy_memory()
    blocks = noise.shrink(min(_BLOCK_SIDE, grey.width), min(_BLOCK_SIDE, grey.height)).write_to_memory()
    means = sorted(memoryview(blocks).cast("f"))
    counts = list(memoryview(grey.hist_find().write_to_memory()).cast("I"))
    counts += [0] * (_GREY_LEVELS - len(counts))
    return judge(
        Measurements(
            laplacian_variance=edges.deviate() ** 2,
            histogram=counts,
            fine_deviation=noise.avg() * _NOISE_FACTOR,
            quiet_deviation=means[len(means) // 10] * _NOISE_FACTOR,
            pixels=facts.width * facts.height,
        )
    )


def _pixels(image: pyvips.Image, bands: int) -> bytes:
    """Return the bytes of an image with so many bands: grey is spread, what is more is left out."""
    colours = 1 if bands == 1 else 3
    spread = image.colourspace("srgb") if image.interpretation == "b-w" and colours == 3 else image  # noqa: PLR2004 - RGB
    wanted = spread[:bands] if spread.bands > bands else spread
    memory: Any = wanted.cast("uchar").write_to_memory()
    return bytes(memory)
