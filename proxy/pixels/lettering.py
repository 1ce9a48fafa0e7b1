"""Lettering: a line of text as a picture.

Theory. Pango opens a font's file when a glyph of it is first drawn at a size, and behind the walls files can be opened
only where there is Landlock. So every text is drawn in one font description, whose faces the warm-up has opened: what
was drawn once can be drawn again. The picture is then made as large as it has to be.
"""

import os
from html import escape
from pathlib import Path

import pyvips

from proxy.core.errors import LimitExceeded
from proxy.workers.fonts import BUNDLED, FOLDER, font_files

_FONT = "DejaVu Sans 96px"
_SAMPLE = "Añ Ωλ Жя אב عربي हिन्दी ไทย 漢字 かな 한글 🙂"
"""Something of each script that a font may be there for."""
_SHADOW_SIGMA, _SHADOW_ROOM = 5, 12
_SHADOW_DARKNESS = 0.75

# The system's fonts are left out: the same text is the same picture on every machine, and no worker scans for fonts.
os.environ["FONTCONFIG_FILE"] = str(FOLDER / "fonts.conf")


def open_fonts(folder: Path | None) -> None:
    """Open the bundled font, and those of a folder for the letters it lacks; before the walls close."""
    for file in font_files(folder):
        pyvips.Image.text("A", font=_FONT, fontfile=str(file))
    draw_text(_SAMPLE).copy_memory()


def draw_text(text: str) -> pyvips.Image:
    """Draw one line (libvips `text`, Pango): white above a soft shadow, so that it can be read on any ground; sRGBA."""
    marked = f'<span foreground="white">{escape(text, quote=False)}</span>'
    try:
        ink = pyvips.Image.text(marked, font=_FONT, fontfile=str(BUNDLED), rgba=True)
    except pyvips.Error as error:
        raise LimitExceeded("The text has no letter that can be drawn.") from error
    room = _SHADOW_ROOM
    ink = ink.embed(room, room, ink.width + 2 * room, ink.height + 2 * room)
    shade = ink.extract_band(3).gaussblur(_SHADOW_SIGMA).linear(2 * _SHADOW_DARKNESS, 0)
    shade = (shade > 255 * _SHADOW_DARKNESS).ifthenelse(255 * _SHADOW_DARKNESS, shade).cast("uchar")
    shadow = shade.new_from_image([0, 0, 0]).copy(interpretation="srgb").bandjoin(shade)
    return shadow.composite2(ink, "over").cast("uchar")
