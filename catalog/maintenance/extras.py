"""Extras: features that settings enable beyond those of every installation, and the library each of them needs."""

from dataclasses import dataclass
from importlib.util import find_spec

from proxy.settings import Settings

_LIBRARIES = {"svg": "", "tiff": "", "heic": "pillow_heif", "jxl": "pillow_jxl", "pdf": "pypdfium2", "faces": "cv2"}
"""Empty if the libvips wheel includes the feature."""


@dataclass(frozen=True, slots=True)
class Extras:
    """Names of extras, in the order of the documentation."""

    on: list[str]
    """Enabled by the settings."""
    off: list[str]
    """Installed, but not enabled."""
    absent: list[str]
    """Not installed."""

    @property
    def missing(self) -> list[str]:
        """Extras that are enabled but not installed."""
        return [name for name in self.absent if name in self.on]


def find_extras(settings: Settings) -> Extras:
    """Look for the libraries without importing them."""
    enabled = {*settings.formats.split(","), "faces" if settings.faces else ""}
    absent = [name for name, library in _LIBRARIES.items() if library and not find_spec(library)]
    return Extras(
        on=[name for name in _LIBRARIES if name in enabled],
        off=[name for name in _LIBRARIES if name not in enabled and name not in absent],
        absent=absent,
    )


def how_to_install(names: list[str]) -> str:
    """Return the command for Darkroom's source folder: the package is not on PyPI under the name of the command."""
    return f"pip install '.[{','.join(names)}]' in Darkroom's folder"
