"""The option table: one row per option, in the order in which a recipe spells them.

To add an option: a row here, a field in `Recipe`, a line in the planner, a step in the pixel room, an example picture
in the docs.
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
    Row,
    decimal,
    integer,
    number,
    ranged,
    row,
    unit,
    word,
    words,
)
from proxy.core.recipe.values import CORNER, SHARE, Border, Crop, Duotone, Edges, Focus, OverlayOption

MAX_SIDE = 8_192
"""Largest number `w` and `h` take, in pixels."""
MAX_TEXT_BYTES = 200
MAX_PAD = 2_000
MAX_BORDER = 500

COMPASS = ("n", "ne", "e", "se", "s", "sw", "w", "nw")
FOUND = ("smart", "entropy", "face")
"""Gravities whose place is in the pixels."""
FITS = ("cover", "contain", "fill", "inside", "outside")
PICTURES = ("jpeg", "webp", "avif", "png", "gif", "tiff", "jxl", "auto")
TOLD = ("json", "blurhash", "thumbhash")
"""Formats that are text."""
FORMAT_WORDS = (*PICTURES, *TOLD, "lqip")

_STAMP = r"(?:_(n|ne|e|se|s|sw|w|nw|c|tile)(?:_([0-9]{1,9})(?:_([0-9]{1,9}))?)?)?"


def row_of(token: str) -> tuple[int, Row, re.Match[str]] | None:
    """Find the one row whose shape `token` has; None when it is no option."""
    for index, one in enumerate(ROWS):
        if match := one.shape.fullmatch(token):
            return index, one, match
    return None


def near_row(token: str) -> Row | None:
    """Find the row that `token` was probably meant for: the longest head it begins with, followed by a value."""
    valued = ((head.rstrip("_"), one) for one in ROWS for head in one.heads if "{" in one.usage)
    near = ((head, one) for head, one in valued if token.startswith(head))
    return max(near, key=lambda one: len(one[0]), default=(None, None))[1]


def spell(value: object, field: str) -> str:
    """Give the canonical text of one option's value."""
    return _BY_FIELD[field].spell(value)


def _read_crop(groups: Groups) -> Crop | None:
    relative = any("." in text for text in groups)
    left, top, width, height = (unit(text, "crop") if relative else Fraction(text) for text in groups)
    if not relative and max(left, top, width, height) > 1_000_000:  # noqa: PLR2004 - no allowed original has such a side
        raise ValueError("crop takes pixels up to 1000000")
    if not width or not height:
        raise ValueError("crop takes a width and a height above 0")
    if relative and (left + width > 1 or top + height > 1):
        raise ValueError("crop reaches beyond the picture: left + width and top + height are at most 1")
    if relative and left + top == 0 and width * height == 1:
        return None
    return Crop(left, top, width, height, relative)


def _spell_crop(crop: Crop) -> str:
    return "crop" + "_".join(decimal(part, FRACTION_DIGITS) for part in (crop.left, crop.top, crop.width, crop.height))


def _read_aspect(groups: Groups) -> tuple[int, int]:
    across, down = int(groups[0]), int(groups[1])
    if not (1 <= across <= 999 and 1 <= down <= 999):  # noqa: PLR2004 - the row's own range
        raise ValueError("ar takes two numbers of 1…999")
    common = gcd(across, down)
    return across // common, down // common


def _read_pad(groups: Groups) -> Edges | None:
    parts = [ranged(text, "pad", 0, MAX_PAD) for text in groups if text is not None]
    return (Edges(*parts) if len(parts) == 4 else Edges(*parts * 4)) if any(parts) else None  # noqa: PLR2004 - sides


def _spell_pad(pad: Edges) -> str:
    sides = (pad.top, pad.right, pad.bottom, pad.left)
    return f"pad{pad.top}" if len(set(sides)) == 1 else "pad" + "_".join(map(str, sides))


def _read_overlay(what: str, groups: Groups, name: str) -> OverlayOption:
    where, share, opacity = groups
    return OverlayOption(
        what,
        where or CORNER,
        SHARE if share is None else ranged(share, f"{name}'s size", 1, 100),
        100 if opacity is None else ranged(opacity, f"{name}'s opacity", 1, 100),
    )


def _read_text(groups: Groups) -> OverlayOption:
    raw = bytes.fromhex(groups[0])
    if len(raw) > MAX_TEXT_BYTES:
        raise ValueError(f"text takes at most {MAX_TEXT_BYTES} bytes of UTF-8")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ValueError("text takes the hexadecimal digits of UTF-8") from None
    if not text.strip() or any(ord(letter) < ord(" ") or letter == "\x7f" for letter in text):
        raise ValueError("text takes one line of printable characters")
    return _read_overlay(text, groups[1:], "text")


def _spell_overlay(head: str, option: OverlayOption) -> str:
    """Leave out what is default, from the end."""
    parts: tuple[str | int, ...] = (option.where, option.share, option.opacity)
    defaults = (CORNER, SHARE, 100)
    while parts and parts[-1] == defaults[len(parts) - 1]:
        parts = parts[:-1]
    return "_".join((head, *map(str, parts)))


ROWS: tuple[Row, ...] = (
    row(
        "preset",
        "~{name}",
        "a preset of the tenant; options after it override it",
        "~([a-z][a-z0-9_]{0,31})",
        lambda groups: groups[0],
        lambda name: f"~{name}",
    ),
    integer("page", "page", 1, 10_000, "one page of an original that has several"),
    integer("frame", "frame", 1, 10_000, "one frame of an animation"),
    word("still", "still", "the first frame of an animation"),
    row(
        "crop",
        "crop{x}_{y}_{w}_{h}",
        "a part of the upright original, before anything else: pixels, or fractions 0…1 where a dot is",
        "crop" + "_".join([DECIMAL] * 4),
        _read_crop,
        _spell_crop,
    ),
    integer("trim", "trim", 1, 255, "cut the border of the corner's colour, with this tolerance"),
    row(
        "rot",
        "rot{90,180,270}",
        "rotate clockwise, after the EXIF orientation, which is always applied",
        "rot(90|180|270)",
        lambda groups: int(groups[0]),
        lambda degrees: f"rot{degrees}",
    ),
    word("flip", "flip", "top and bottom change places"),
    word("flop", "flop", "left and right change places"),
    integer("width", "w", 1, MAX_SIDE, "target width in pixels"),
    integer("height", "h", 1, MAX_SIDE, "target height in pixels"),
    row(
        "aspect",
        "ar{1…999}_{1…999}",
        "aspect ratio, with one of w and h: the other follows",
        "ar([0-9]{1,9})_([0-9]{1,9})",
        _read_aspect,
        lambda aspect: f"ar{aspect[0]}_{aspect[1]}",
    ),
    words("fit", FITS, "how the picture meets the box; default cover with both sides known, else inside"),
    word("up", "up", "may enlarge; without it a picture is never larger than its original"),
    number("dpr", "dpr", ("1.1", "5"), 1, "device pixel ratio: the same picture with more pixels", default=1),
    words("gravity", (*COMPASS, *FOUND), "which part a cover crop keeps; default the centre", prefix="g"),
    row(
        "focus",
        "fp{x}_{y}",
        "focal point of the cover crop, as fractions 0…1",
        f"fp{DECIMAL}_{DECIMAL}",
        lambda groups: Focus(unit(groups[0], "fp"), unit(groups[1], "fp")),
        lambda focus: f"fp{decimal(focus.x, FRACTION_DIGITS)}_{decimal(focus.y, FRACTION_DIGITS)}",
    ),
    number("blur", "blur", ("0.3", "100"), 1, "Gaussian blur of this σ, in pixels"),
    number("sharpen", "sharpen", ("0.3", "10"), 1, "sharpen edges of this σ, in pixels"),
    integer("pixelate", "pixelate", 2, 256, "blocks of this side, in pixels"),
    number("brightness", "bri", ("0", "3"), 2, "lightness (CIE L*) is multiplied", default=1),
    number("contrast", "con", ("0", "3"), 2, "contrast around the middle grey is multiplied", default=1),
    number("saturation", "sat", ("0", "3"), 2, "saturation is multiplied", default=1),
    row(
        "hue",
        "hue{0…359}",
        "turn all hues, in degrees",
        "hue([0-9]{1,9})",
        lambda groups: ranged(groups[0], "hue", 0, 359) or None,
        lambda degrees: f"hue{degrees}",
    ),
    number("gamma", "gamma", ("0.1", "5"), 2, "gamma; above 1 lightens the middle", default=1),
    word("gray", "gray", "shades of grey"),
    word("sepia", "sepia", "shades of brown, as of an old photograph"),
    word("invert", "invert", "the negative"),
    row("tint", "tint{rrggbb}", "colours give way to one", f"tint{COLOUR}", lambda groups: groups[0], "tint{}".format),
    row(
        "duotone",
        "duotone{rrggbb}_{rrggbb}",
        "dark and light become two colours, with all between",
        f"duotone{COLOUR}_{COLOUR}",
        lambda groups: Duotone(*groups),
        lambda tones: f"duotone{tones.dark}_{tones.light}",
    ),
    row(
        "pad",
        "pad{n}",
        "space around the picture, in pixels 0…2000; pad{top}_{right}_{bottom}_{left} for each side its own",
        r"pad([0-9]{1,9})(?:_([0-9]{1,9})_([0-9]{1,9})_([0-9]{1,9}))?",
        _read_pad,
        _spell_pad,
    ),
    row(
        "border",
        "border{n}_{rrggbb}",
        "a line around it, in pixels 1…500",
        f"border([0-9]{{1,9}})_{COLOUR}",
        lambda groups: Border(ranged(groups[0], "border", 1, MAX_BORDER), groups[1]),
        lambda border: f"border{border.width}_{border.colour}",
    ),
    row(
        "round",
        "round{n}",
        "round corners of this radius, in pixels 1…4096; round alone is fully round",
        "round([0-9]{1,9})?",
        lambda groups: 0 if groups[0] is None else ranged(groups[0], "round", 1, 4_096),
        lambda radius: f"round{radius or ''}",
    ),
    row(
        "background",
        "bg{rrggbb[aa]}",
        "background for contain, pad and flattening; default transparent where the format has alpha, else white",
        "bg([0-9a-f]{6}(?:[0-9a-f]{2})?)",
        lambda groups: groups[0].removesuffix("ff") if len(groups[0]) == 8 else groups[0],  # noqa: PLR2004 - rrggbbff is rrggbb
        lambda digits: f"bg{digits}",
    ),
    row(
        "watermark",
        "wm_{name}",
        "a watermark of the tenant; wm_{name}_{where}_{size}_{opacity}: a point of the compass, c or tile; percent",
        "wm_([a-z][a-z0-9]{0,31})" + _STAMP,
        lambda groups: _read_overlay(groups[0], groups[1:], "wm"),
        lambda option: _spell_overlay(f"wm_{option.what}", option),
    ),
    row(
        "text",
        "text{hex}",
        "a line of text, as the hexadecimal digits of its UTF-8; text{hex}_{where}_{size}_{opacity} as for wm",
        "text((?:[0-9a-f]{2})+)" + _STAMP,
        _read_text,
        lambda option: _spell_overlay(f"text{option.what.encode().hex()}", option),
    ),
    integer("quality", "q", 1, 100, "encoder quality"),
    words("target", ("low", "good", "best"), "the same look for every picture, whatever it takes", prefix="q"),
    integer("budget", "max", 1, 10_000, "the best quality that fits into so many KiB", suffix="k"),
    word("lossless", "lossless", "no loss, where the format leaves a choice (webp, avif, jxl)"),
    word("prog", "prog", "progressive or interlaced"),
    word("keep", "keep", "keep metadata, but never the place it was taken"),
    word("dl", "dl", "to be saved rather than shown"),
    words("format", FORMAT_WORDS, "output format; none keeps the original's own"),
)

_BY_FIELD = {one.field: one for one in ROWS}


@lru_cache(maxsize=1)
def all_words() -> tuple[str, ...]:
    """Every option that is a whole word, for suggestions."""
    heads = (head for one in ROWS for head in one.heads)
    return tuple(dict.fromkeys(head for head in heads if row_of(head)))
