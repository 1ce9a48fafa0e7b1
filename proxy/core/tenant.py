"""A tenant as the delivery plane knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import Limits
from proxy.core.planning.rendering_options import RenderingOptions
from proxy.core.recipe.recipe import Recipe
from proxy.core.url.signing import SigningKey
from proxy.core.url.source import Source


@dataclass(frozen=True, slots=True)
class Watermark:
    """A picture the tenant lays over others: one of its originals, and its upright size."""

    original: Digest
    size: Size


@dataclass(frozen=True, slots=True)
class Tenant:
    """Owner of originals; the newest key comes first and signs, all of them verify."""

    name: TenantName
    keys: tuple[SigningKey, ...]
    limits: Limits = field(default_factory=Limits)
    rendering: RenderingOptions = field(default_factory=RenderingOptions)
    presets: Mapping[str, Recipe] = field(default_factory=dict)
    unsigned: frozenset[str] = frozenset()
    """Presets that are served without a seal."""
    watermarks: Mapping[str, Watermark] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    hints: bool = False
    """Client hints and Save-Data shape `auto` pictures."""
    reference_ttl_s: int = 3_600
    """How long a referenced source is used before it is asked again, and told in Cache-Control."""
    cache_epoch: int = 0
    """How often its derivatives were purged; a part of every derivative's key."""
