"""Draw a line of text as a picture.

Theory. Pango opens a font file when one of its glyphs is first drawn at a size, and in the sandbox files can be opened
only if Landlock is available. Therefore every text is drawn in one font description, whose faces the warm-up has
opened: what was drawn once can be drawn again. The picture is then resized as needed.
"""

import os
from html import escape
from pathlib import Path

import pyvips

from proxy.core.errors import LimitExceeded
from proxy.workers.fonts import BUNDLED, FOLDER, font_files

_FONT = "DejaVu Sans 96px"
_SAMPLE = "Añ Ωλ Жя אב عربي हिन्दी ไทย 漢字 かな 한글 🙂"
"""Characters of the scripts that fonts may be installed for."""
_SHADOW_SIGMA, _SHADOW_ROOM = 5, 12
_SHADOW_DARKNESS = 0.75

# The system's fonts are not used: the same text is the same picture on every machine, and no worker scans for fonts.
os.environ["FONTCONFIG_FILE"] = str(FOLDER / "fonts.conf")


def open_fonts(folder: Path | None) -> None:
    """Open the bundled font, and those in `folder` for the glyphs it lacks; to be called before the sandbox closes."""
    for file in font_files(folder):
        pyvips.Image.text("A", font=_FONT, fontfile=str(file))
    draw_text(_SAMPLE).copy_memory()


def draw_text(text: str) -> pyvips.Image:
    """Draw one line (libvips `text`, Pango) in white on a soft shadow, readable on any background; sRGB with alpha.

    Raise LimitExceeded if no glyph of the text can be drawn.
    """
    marked = f'<span foreground="white">{escape(text, quote=False)}</span>'
    try:
        ink = pyvips.Image.text(marked, font=_FONT, fontfile=str(BUNDLED), rgba=True)
    except pyvips.Error as error:
        raise LimitExceeded(
            "The text contains no letter that can be drawn: use letters of the installed fonts."
        ) from error
    room = _SHADOW_ROOM
    ink = ink.embed(room, room, ink.width + 2 * room, ink.height + 2 * room)
    shade = ink.extract_band(3).gaussblur(_SHADOW_SIGMA).linear(2 * _SHADOW_DARKNESS, 0)
    shade = (shade > 255 * _SHADOW_DARKNESS).ifthenelse(255 * _SHADOW_DARKNESS, shade).cast("uchar")
    shadow = shade.new_from_image([0, 0, 0]).copy(interpretation="srgb").bandjoin(shade)
    return shadow.composite2(ink, "over").cast("uchar")
