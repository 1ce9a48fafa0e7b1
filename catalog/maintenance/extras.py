"""Extras: what settings can turn on beyond what every installation has, and the library each needs."""

from dataclasses import dataclass
from importlib.util import find_spec

from proxy.settings import Settings

_LIBRARIES = {"svg": "", "tiff": "", "heic": "pillow_heif", "jxl": "pillow_jxl", "pdf": "pypdfium2", "faces": "cv2"}
"""Empty where libvips' wheel has it."""


@dataclass(frozen=True, slots=True)
class Extras:
    """Names of extras, in the order of the documentation."""

    on: list[str]
    """By the settings."""
    off: list[str]
    """Installed, and not turned on."""
    absent: list[str]
    """Not installed."""

    @property
    def missing(self) -> list[str]:
        """Name what is turned on and not installed."""
        return [name for name in self.absent if name in self.on]


def find_extras(settings: Settings) -> Extras:
    """Look for the libraries without loading them."""
    asked = {*settings.formats.split(","), "faces" if settings.faces else ""}
    absent = [name for name, library in _LIBRARIES.items() if library and not find_spec(library)]
    return Extras(
        on=[name for name in _LIBRARIES if name in asked],
        off=[name for name in _LIBRARIES if name not in asked and name not in absent],
        absent=absent,
    )


def how_to_install(names: list[str]) -> str:
    """Give the command, to be run in Darkroom's folder: it is not on PyPI, where somebody else has the name."""
    return f"pip install '.[{','.join(names)}]' in Darkroom's folder"
