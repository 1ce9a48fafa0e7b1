"""Rendering options: settings of a tenant that affect how all its pictures are rendered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RenderingOptions:
    """Rendering options of a tenant; they are part of the key of every derivative."""

    linear_light: bool = False
    """Resize in linear light instead of sRGB values."""
    sharpen_downscaled: bool = False
    """Sharpen slightly after a reduction."""
    wide_gamut: bool = False
    """Preserve colours outside sRGB, as Display P3, if format and client support it."""

    def __str__(self) -> str:
        """Return the first letters of the enabled options; empty for the defaults."""
        return "".join(name[0] for name in ("linear_light", "sharpen_downscaled", "wide_gamut") if getattr(self, name))
