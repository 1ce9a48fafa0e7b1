"""A tenant as the delivery plane knows it."""

from dataclasses import dataclass, field

from proxy.core.limits import Limits
from proxy.core.names import TenantName
from proxy.core.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Tenant:
    """Owner of originals; the newest key comes first and signs, all of them verify."""

    name: TenantName
    keys: tuple[SigningKey, ...]
    limits: Limits = field(default_factory=Limits)
