"""A source: a location that the references of a tenant may lead to."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """An allowed location, `s3://bucket/prefix` or `https://host/path`, and the credentials to access it."""

    prefix: str
    credentials: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """S3: access_key_id, secret_access_key, endpoint_url, region. HTTPS: request headers."""
