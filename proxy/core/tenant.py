"""A tenant as the delivery plane knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.core.geometry import Size
from proxy.core.identifiers import Digest, TenantName
from proxy.core.planning.limits import Limits
from proxy.core.recipe.recipe import Recipe
from proxy.core.url.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Watermark:
    """A picture the tenant lays over others: one of its originals, and its upright size."""

    original: Digest
    size: Size


@dataclass(frozen=True, slots=True)
class Manner:
    """How a tenant wants its pictures developed; a part of every derivative's key."""

    linear: bool = False
    """Resize in linear light."""
    crisp: bool = False
    """Sharpen a little what was made smaller."""

    wide: bool = False
    """Keep colours beyond sRGB, as Display P3, where format and client can."""

    def __str__(self) -> str:
        """Name what is not the default, for keys."""
        return "".join(name[0] for name in ("linear", "crisp", "wide") if getattr(self, name))


@dataclass(frozen=True, slots=True)
class Source:
    """A place that references (`~…`) may lead to: `s3://bucket/prefix` or `https://host/path`, and what opens it."""

    prefix: str
    credentials: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """For S3: access_key_id, secret_access_key, endpoint_url, region. For HTTPS: request headers."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Owner of originals; the newest key comes first and signs, all of them verify."""

    name: TenantName
    keys: tuple[SigningKey, ...]
    limits: Limits = field(default_factory=Limits)
    manner: Manner = field(default_factory=Manner)
    presets: Mapping[str, Recipe] = field(default_factory=dict)
    unsigned: frozenset[str] = frozenset()
    """Presets that are served without a seal."""
    watermarks: Mapping[str, Watermark] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    hints: bool = False
    """Client hints and Save-Data shape `auto` pictures."""
    reference_ttl_s: int = 3_600
    """How long a referenced source is used before it is asked again, and told in Cache-Control."""
    edition: int = 0
    """How often its derivatives were purged; a part of every derivative's key."""
