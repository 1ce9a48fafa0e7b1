"""Rendering options: how a tenant wants its pictures developed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RenderingOptions:
    """How a tenant wants its pictures developed; a part of every derivative's key."""

    linear_light: bool = False
    """Resize in linear light."""
    sharpen_downscaled: bool = False
    """Sharpen a little what was made smaller."""

    wide_gamut: bool = False
    """Keep colours beyond sRGB, as Display P3, where format and client can."""

    def __str__(self) -> str:
        """Name what is not the default, for keys."""
        return "".join(name[0] for name in ("linear_light", "sharpen_downscaled", "wide_gamut") if getattr(self, name))
