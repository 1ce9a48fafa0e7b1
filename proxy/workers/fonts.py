"""Font files: the bundled ones, and copies of the operator's.

Workers open fonts during their whole life, and may open only those that they were started with. Therefore the
operator's fonts are copied when the server starts: changes to the folder affect no picture before the next start. Their
fingerprint is part of the renderer version, so pictures that were drawn with other fonts have other keys.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent / "font_files"
BUNDLED = FOLDER / "DejaVuSans.ttf"
_EMOJI = FOLDER / "NotoEmoji-Regular.ttf"
"""In one colour, like the letters around them."""
MAX_FONTS, MAX_FONT_BYTES = 300, 512 * 2**20
"""Limits of the operator's folder: a worker needs about five milliseconds to open a font."""
_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}


class InvalidFonts(Exception):
    """The folder of fonts cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class FontSet:
    """The operator's fonts, as copies: their folder, their number, and a fingerprint of eight hex digits."""

    folder: str = ""
    count: int = 0
    fingerprint: str = ""


def font_files(folder: Path | None) -> list[Path]:
    """Return the bundled fonts and those in `folder`, recursively, in the order in which a glyph is looked up."""
    return [BUNDLED, *(_list_fonts(folder) if folder else ()), _EMOJI]


def check_copies(folder: Path | None, count: int) -> None:
    """Raise InvalidFonts if copies are missing.

    A worker that starts without them would draw boxes under a renderer version that stands for the fonts.
    """
    present = len(_list_fonts(folder)) if folder else 0
    if present != count:
        raise InvalidFonts(
            f"{count} fonts were copied to {folder} when the server started, but only {present} of them are left: "
            "restart the server."
        )


@contextmanager
def copied_fonts(folder: Path | None) -> Iterator[FontSet]:
    """Copy the operator's fonts to a temporary folder until the end. Raise InvalidFonts if they cannot be used."""
    if folder is None:
        yield FontSet()
        return
    with TemporaryDirectory(prefix="darkroom-fonts-") as target:
        try:
            digest, files = sha256(), _checked_fonts(folder)
            for number, file in enumerate(files):
                copy = Path(target) / f"{number:04}{file.suffix.lower()}"
                shutil.copyfile(file, copy)
                with copy.open("rb") as content:
                    digest.update(file_digest(content, "sha256").digest())
        except OSError as error:
            raise InvalidFonts(f"DARKROOM_FONTS: {error.filename} cannot be read: {error.strerror}.") from error
        yield FontSet(target, len(files), digest.hexdigest()[:8])


def _checked_fonts(folder: Path) -> list[Path]:
    files = _list_fonts(folder)
    if not files:
        raise InvalidFonts(f"DARKROOM_FONTS: {folder} contains no font ({', '.join(sorted(_SUFFIXES))}).")
    size_bytes = sum(file.stat().st_size for file in files)
    if len(files) > MAX_FONTS or size_bytes > MAX_FONT_BYTES:
        raise InvalidFonts(
            f"DARKROOM_FONTS: {folder} contains {len(files)} fonts of {size_bytes // 2**20} MiB; the limits are "
            f"{MAX_FONTS} fonts and {MAX_FONT_BYTES // 2**20} MiB."
        )
    return files


def _list_fonts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
