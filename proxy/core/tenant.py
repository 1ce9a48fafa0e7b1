"""A tenant as the delivery plane uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import Limits
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.presets import Ladder
from proxy.core.recipe.recipe import Recipe
from proxy.core.url.signing import SigningKey
from proxy.core.url.source import Source


@dataclass(frozen=True, slots=True)
class Watermark:
    """One of a tenant's originals that recipes overlay on others, and its upright size in pixels."""

    original: Digest
    size: Size


@dataclass(frozen=True, slots=True)
class Tenant:
    """Owner of originals. The newest key comes first and signs; all of them verify."""

    name: TenantName
    keys: tuple[SigningKey, ...]
    limits: Limits = field(default_factory=Limits)
    rendering: RenderingOptions = field(default_factory=RenderingOptions)
    presets: Mapping[str, Recipe] = field(default_factory=dict)
    unsigned: Mapping[str, Ladder] = field(default_factory=dict)
    """Presets that are served without a seal, and the sizes they are served at."""
    watermarks: Mapping[str, Watermark] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    hints: bool = False
    """Whether client hints and Save-Data change `auto` images."""
    reference_ttl_s: int = 3_600
    """Seconds until a referenced source is asked for changes again; also the max-age in Cache-Control."""
    cache_epoch: int = 0
    """Number of purges of the tenant's derivatives; part of the key of every derivative."""
