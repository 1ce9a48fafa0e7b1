"""The option table: one row per option, in the order in which a recipe lists them.

To add an option, add a row here, a field to `Recipe`, a line to the planner, a step to `proxy.pixels`, and an example
to the documentation.
"""

import re
from fractions import Fraction
from functools import lru_cache
from math import gcd

from proxy.core.recipe.option_kinds import (
    COLOUR,
    DECIMAL,
    FRACTION_DIGITS,
    Groups,
    Option,
    choice,
    decimal,
    flag,
    integer,
    number,
    option,
    parse_fraction,
    parse_integer,
)
from proxy.core.recipe.values import (
    DEFAULT_OPACITY_PERCENT,
    DEFAULT_POSITION,
    DEFAULT_SIZE_PERCENT,
    Border,
    Crop,
    Duotone,
    Edges,
    Focus,
    OverlayOption,
)

MAX_SIDE = 8_192
"""Largest value of `w` and `h`, in pixels."""
MAX_TEXT_BYTES = 200
MAX_PAD = 2_000
MAX_BORDER = 500

COMPASS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
CONTENT_GRAVITIES = ("smart", "entropy", "face")
"""Gravities whose position depends on the content of the picture."""
FITS = ("cover", "contain", "fill", "inside", "outside")
PICTURE_FORMATS = ("jpeg", "webp", "avif", "png", "gif", "tiff", "jxl", "auto")
TEXT_FORMATS = ("json", "blurhash", "thumbhash")
FORMAT_WORDS = (*PICTURE_FORMATS, *TEXT_FORMATS, "lqip")

_OVERLAY_SUFFIX = r"(?:_(n|ne|e|se|s|sw|w|nw|c|tile)(?:_([0-9]{1,9})(?:_([0-9]{1,9}))?)?)?"


def match_option(token: str) -> tuple[Option, re.Match[str]] | None:
    """Return the option whose pattern matches `token`, or None if there is none."""
    matches = ((candidate, candidate.pattern.fullmatch(token)) for candidate in OPTIONS)
    return next(((candidate, match) for candidate, match in matches if match), None)


def nearest_option(token: str) -> Option | None:
    """Return the option with a value whose prefix is the longest one that `token` begins with, or None."""
    valued = (candidate for candidate in OPTIONS if "{" in candidate.usage)
    near = ((len(candidate.name), candidate) for candidate in valued if token.startswith(candidate.name))
    return max(near, key=lambda pair: pair[0], default=(0, None))[1]


def write_option(field: str, value: object) -> str:
    """Return the canonical text of an option."""
    return _BY_FIELD[field].write(value)


def _parse_crop(groups: Groups) -> Crop | None:
    relative = any("." in text for text in groups)
    left, top, width, height = (parse_fraction(text, "crop") if relative else Fraction(text) for text in groups)
    if not relative and max(left, top, width, height) > 1_000_000:  # noqa: PLR2004 - larger than any allowed original
        raise ValueError("The pixels of option crop must not exceed 1000000.")
    if not width or not height:
        raise ValueError("The width and height of option crop must be above 0.")
    if relative and (left + width > 1 or top + height > 1):
        raise ValueError("The crop extends beyond the picture: left + width and top + height must not exceed 1.")
    if relative and left + top == 0 and width * height == 1:
        return None
    return Crop(left, top, width, height, relative)


def _write_crop(crop: Crop) -> str:
    return "crop" + "_".join(decimal(part, FRACTION_DIGITS) for part in (crop.left, crop.top, crop.width, crop.height))


def _parse_aspect(groups: Groups) -> tuple[int, int]:
    across, down = int(groups[0]), int(groups[1])
    if not (1 <= across <= 999 and 1 <= down <= 999):  # noqa: PLR2004 - the range in its usage
        raise ValueError("Both numbers of option ar must be between 1 and 999.")
    divisor = gcd(across, down)
    return across // divisor, down // divisor


def _parse_pad(groups: Groups) -> Edges | None:
    parts = [parse_integer(text, "Option pad", 0, MAX_PAD) for text in groups if text is not None]
    return (Edges(*parts) if len(parts) == 4 else Edges(*parts * 4)) if any(parts) else None  # noqa: PLR2004 - four sides


def _write_pad(pad: Edges) -> str:
    sides = (pad.top, pad.right, pad.bottom, pad.left)
    return f"pad{pad.top}" if len(set(sides)) == 1 else "pad" + "_".join(map(str, sides))


def _parse_overlay(content: str, groups: Groups, name: str) -> OverlayOption:
    position, size, opacity = groups
    return OverlayOption(
        content,
        position or DEFAULT_POSITION,
        DEFAULT_SIZE_PERCENT if size is None else parse_integer(size, f"The size of option {name}", 1, 100),
        DEFAULT_OPACITY_PERCENT if opacity is None else parse_integer(opacity, f"The opacity of option {name}", 1, 100),
    )


def _parse_text(groups: Groups) -> OverlayOption:
    raw = bytes.fromhex(groups[0])
    if len(raw) > MAX_TEXT_BYTES:
        raise ValueError(f"Option text takes at most {MAX_TEXT_BYTES} bytes of UTF-8.")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ValueError("Option text takes the hexadecimal digits of UTF-8.") from None
    if not text.strip() or any(ord(letter) < ord(" ") or letter == "\x7f" for letter in text):
        raise ValueError("Option text takes a single line of printable characters.")
    return _parse_overlay(text, groups[1:], "text")


def _write_overlay(prefix: str, overlay: OverlayOption) -> str:
    """Return the text of an overlay without trailing default values."""
    parts: tuple[str | int, ...] = (overlay.position, overlay.size_percent, overlay.opacity_percent)
    defaults = (DEFAULT_POSITION, DEFAULT_SIZE_PERCENT, DEFAULT_OPACITY_PERCENT)
    while parts and parts[-1] == defaults[len(parts) - 1]:
        parts = parts[:-1]
    return "_".join((prefix, *map(str, parts)))


OPTIONS: tuple[Option, ...] = (
    option(
        "preset",
        "~{name}",
        "a preset of the tenant; the options that follow override it",
        "~([a-z][a-z0-9_]{0,31})",
        lambda groups: groups[0],
        lambda name: f"~{name}",
    ),
    integer("page", "page", 1, 10_000, "a page of an original with several pages, counted from 1"),
    integer("frame", "frame", 1, 10_000, "a frame of an animation, counted from 1"),
    flag("still", "still", "the first frame of an animation"),
    option(
        "crop",
        "crop{x}_{y}_{w}_{h}",
        "use a part of the upright original: pixels, or fractions 0…1 if a value has a dot; applied first",
        "crop" + "_".join([DECIMAL] * 4),
        _parse_crop,
        _write_crop,
    ),
    integer("trim", "trim", 1, 255, "remove the border that has the colour of the corner, with this tolerance"),
    option(
        "rot",
        "rot{90,180,270}",
        "rotate clockwise; the EXIF orientation is always applied before",
        "rot(90|180|270)",
        lambda groups: int(groups[0]),
        lambda degrees: f"rot{degrees}",
    ),
    flag("flip", "flip", "mirror top to bottom"),
    flag("flop", "flop", "mirror left to right"),
    integer("width", "w", 1, MAX_SIDE, "target width in pixels"),
    integer("height", "h", 1, MAX_SIDE, "target height in pixels"),
    option(
        "aspect",
        "ar{1…999}_{1…999}",
        "aspect ratio; computes the missing side from w or h",
        "ar([0-9]{1,9})_([0-9]{1,9})",
        _parse_aspect,
        lambda aspect: f"ar{aspect[0]}_{aspect[1]}",
    ),
    choice("fit", FITS, "how the picture fits into the box; default cover if both sides are known, else inside"),
    flag("up", "up", "allow enlargement; without it a picture is never larger than its original"),
    number("dpr", "dpr", ("1.1", "5"), 1, "device pixel ratio: the same picture with more pixels", default=1),
    choice(
        "gravity", (*COMPASS, *CONTENT_GRAVITIES), "which part a cover crop retains; default the centre", prefix="g"
    ),
    option(
        "focus",
        "fp{x}_{y}",
        "focal point of the cover crop, as fractions 0…1",
        f"fp{DECIMAL}_{DECIMAL}",
        lambda groups: Focus(parse_fraction(groups[0], "fp"), parse_fraction(groups[1], "fp")),
        lambda focus: f"fp{decimal(focus.x, FRACTION_DIGITS)}_{decimal(focus.y, FRACTION_DIGITS)}",
    ),
    number("blur", "blur", ("0.3", "100"), 1, "Gaussian blur with this σ, in pixels"),
    number("sharpen", "sharpen", ("0.3", "10"), 1, "sharpen with this σ, in pixels"),
    integer("pixelate", "pixelate", 2, 256, "draw blocks of this side, in pixels"),
    number("brightness", "bri", ("0", "3"), 2, "multiply the lightness (CIE L*)", default=1),
    number("contrast", "con", ("0", "3"), 2, "multiply the contrast around middle grey", default=1),
    number("saturation", "sat", ("0", "3"), 2, "multiply the saturation", default=1),
    option(
        "hue",
        "hue{0…359}",
        "rotate all hues, in degrees",
        "hue([0-9]{1,9})",
        lambda groups: parse_integer(groups[0], "Option hue", 0, 359) or None,
        lambda degrees: f"hue{degrees}",
    ),
    number("gamma", "gamma", ("0.1", "5"), 2, "apply a gamma; values above 1 lighten the midtones", default=1),
    flag("gray", "gray", "convert to shades of grey"),
    flag("sepia", "sepia", "convert to shades of brown, like an old photograph"),
    flag("invert", "invert", "invert all colours"),
    option(
        "tint",
        "tint{rrggbb}",
        "convert to shades of one colour",
        f"tint{COLOUR}",
        lambda groups: groups[0],
        "tint{}".format,
    ),
    option(
        "duotone",
        "duotone{rrggbb}_{rrggbb}",
        "map dark and light to two colours, and the tones between to their mixtures",
        f"duotone{COLOUR}_{COLOUR}",
        lambda groups: Duotone(*groups),
        lambda tones: f"duotone{tones.dark}_{tones.light}",
    ),
    option(
        "pad",
        "pad{n}",
        "padding around the picture, 0…2000 pixels; pad{top}_{right}_{bottom}_{left} sets each side",
        r"pad([0-9]{1,9})(?:_([0-9]{1,9})_([0-9]{1,9})_([0-9]{1,9}))?",
        _parse_pad,
        _write_pad,
    ),
    option(
        "border",
        "border{n}_{rrggbb}",
        "border around the picture, 1…500 pixels",
        f"border([0-9]{{1,9}})_{COLOUR}",
        lambda groups: Border(parse_integer(groups[0], "The width of option border", 1, MAX_BORDER), groups[1]),
        lambda border: f"border{border.width}_{border.colour}",
    ),
    option(
        "round",
        "round{n}",
        "round the corners with this radius, 1…4096 pixels; round alone uses the largest possible radius",
        "round([0-9]{1,9})?",
        lambda groups: 0 if groups[0] is None else parse_integer(groups[0], "Option round", 1, 4_096),
        lambda radius: f"round{radius or ''}",
    ),
    option(
        "background",
        "bg{rrggbb[aa]}",
        "background for contain, pad and transparent pixels; default transparent if the format supports it, else white",
        "bg([0-9a-f]{6}(?:[0-9a-f]{2})?)",
        lambda groups: groups[0].removesuffix("ff") if len(groups[0]) == 8 else groups[0],  # noqa: PLR2004 - rrggbbff is rrggbb
        lambda digits: f"bg{digits}",
    ),
    option(
        "watermark",
        "wm_{name}",
        "a watermark of the tenant; wm_{name}_{position}_{size}_{opacity}: a compass direction, c or tile; percentages",
        "wm_([a-z][a-z0-9]{0,31})" + _OVERLAY_SUFFIX,
        lambda groups: _parse_overlay(groups[0], groups[1:], "wm"),
        lambda overlay: _write_overlay(f"wm_{overlay.content}", overlay),
    ),
    option(
        "text",
        "text{hex}",
        "a line of text, as hexadecimal digits of its UTF-8; text{hex}_{position}_{size}_{opacity} as for wm",
        "text((?:[0-9a-f]{2})+)" + _OVERLAY_SUFFIX,
        _parse_text,
        lambda overlay: _write_overlay(f"text{overlay.content.encode().hex()}", overlay),
    ),
    integer("quality", "q", 1, 100, "encoder quality"),
    choice("target", ("low", "good", "best"), "perceptual quality: every picture looks equally good", prefix="q"),
    integer("budget", "max", 1, 10_000, "the best quality whose file does not exceed this size, in KiB", suffix="k"),
    flag("lossless", "lossless", "lossless encoding, for webp, avif and jxl"),
    flag("prog", "prog", "progressive or interlaced encoding"),
    flag("keep", "keep", "preserve metadata, except for the location"),
    flag("dl", "dl", "ask the browser to save the picture (Content-Disposition: attachment)"),
    choice("format", FORMAT_WORDS, "output format; default the format of the original"),
)

_BY_FIELD = {row.field: row for row in OPTIONS}


@lru_cache(maxsize=1)
def all_words() -> tuple[str, ...]:
    """Return every option that is a single word, for suggestions."""
    prefixes = (prefix for row in OPTIONS for prefix in row.prefixes)
    return tuple(dict.fromkeys(prefix for prefix in prefixes if match_option(prefix)))
