"""Font files: the bundled one, and those of the operator's folder."""

from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "fonts"
BUNDLED = FOLDER / "DejaVuSans.ttf"
_ENDINGS = {".ttf", ".otf", ".ttc", ".otc"}


def font_files(folder: Path | None) -> list[Path]:
    """List the bundled font and the folder's, those below it too, in the order in which they are asked for a letter."""
    return [BUNDLED, *_own_files(folder)]


def _own_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and path.is_file())


def fingerprint(folder: Path | None) -> str:
    """Tell one set of fonts from another, by names and sizes; empty where there is none but the bundled."""
    files = _own_files(folder)
    told = "\n".join(f"{path.name} {path.stat().st_size}" for path in files)
    return sha256(told.encode()).hexdigest()[:8] if files else ""
