"""Font files: the bundled one, and copies of the operator's.

Workers open fonts as long as they live, and may open those alone that they were started with. So the operator's are
copied when the server starts: what is changed, replaced or removed later changes no picture before the next start, and
what was drawn with others has another name.
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
"""In one colour, as the letters around them."""
MOST_FONTS, MOST_BYTES = 300, 512 * 2**20
"""Of the operator's: each takes a worker about five milliseconds to open."""
_ENDINGS = {".ttf", ".otf", ".ttc", ".otc"}


class InvalidFonts(Exception):
    """The folder of fonts is not what it has to be."""


@dataclass(frozen=True, slots=True)
class FontSet:
    """Where workers find fonts beside the bundled ones, how many, and eight hex digits that name these."""

    folder: str = ""
    count: int = 0
    fingerprint: str = ""


def font_files(folder: Path | None) -> list[Path]:
    """List bundled fonts and the folder's, those below it too, in the order in which they are asked for a letter."""
    return [BUNDLED, *(_own_files(folder) if folder else ()), _EMOJI]


def check_copies(folder: Path | None, count: int) -> None:
    """Raise InvalidFonts where copies are gone.

    A worker that starts without them would draw boxes under a good name.
    """
    found = len(_own_files(folder)) if folder else 0
    if found != count:
        raise InvalidFonts(f"Of {count} fonts that the server copied to {folder} when it started {found} are left.")


@contextmanager
def copied_fonts(folder: Path | None) -> Iterator[FontSet]:
    """Copy the operator's fonts to a place of their own until the end; InvalidFonts says what is wrong with them."""
    if folder is None:
        yield FontSet()
        return
    with TemporaryDirectory(prefix="darkroom-fonts-") as place:
        try:
            seen, files = sha256(), _checked(folder)
            for number, file in enumerate(files):
                copy = Path(place) / f"{number:04}{file.suffix.lower()}"
                shutil.copyfile(file, copy)
                with copy.open("rb") as content:
                    seen.update(file_digest(content, "sha256").digest())
        except OSError as error:
            raise InvalidFonts(f"DARKROOM_FONTS: {error.filename} cannot be read: {error.strerror}.") from error
        yield FontSet(place, len(files), seen.hexdigest()[:8])


def _checked(folder: Path) -> list[Path]:
    files = _own_files(folder)
    if not files:
        raise InvalidFonts(f"DARKROOM_FONTS: {folder} has no font ({', '.join(sorted(_ENDINGS))}).")
    if len(files) > MOST_FONTS or sum(file.stat().st_size for file in files) > MOST_BYTES:
        raise InvalidFonts(
            f"DARKROOM_FONTS: {folder} has {len(files)} fonts; at most {MOST_FONTS} and {MOST_BYTES // 2**20} MiB."
        )
    return files


def _own_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())
