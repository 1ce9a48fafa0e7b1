"""A source: a place that a tenant allows its references to lead to."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A place that references (`~…`) may lead to: `s3://bucket/prefix` or `https://host/path`, and what opens it."""

    prefix: str
    credentials: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """For S3: access_key_id, secret_access_key, endpoint_url, region. For HTTPS: request headers."""
