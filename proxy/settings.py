"""Settings: environment variables `DARKROOM_*`, each with its default and what it means."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from proxy.core.media.formats import BY_SETTING


class Settings(BaseSettings):
    """What an installation may choose. Sizes in bytes, times in seconds; docs/settings.md is this table in prose."""

    model_config = SettingsConfigDict(env_prefix="DARKROOM_", extra="ignore", frozen=True)

    home: Path = Field(
        Path(".darkroom"), description="Folder of the embedded default: database, originals, derivatives."
    )
    database_url: str = Field(
        "",
        description="Database; empty means SQLite in the home folder. `postgresql+asyncpg://…` when grown.",
    )
    redis_url: str = Field("", description="Redis for hot derivatives; empty means none.")
    store_url: str = Field(
        "",
        description="Originals and derivatives; empty means the home folder. `s3://bucket/prefix` when grown.",
    )
    s3_endpoint_url: str = Field("", description="S3 of another maker than AWS.")
    s3_access_key_id: str = Field("", description="S3 key; empty means the AWS SDK's own search for credentials.")
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="S3 secret that belongs to the key.")
    s3_region: str = Field("us-east-1", description="S3 region.")
    base_url: str = Field(
        "http://127.0.0.1:8000", description="Where browsers reach this server; printed URLs begin with it."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")

    ops_host: str = Field("127.0.0.1", description="Address to listen on for `/readyz` and `/metrics`.")
    ops_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port for `/readyz` and `/metrics` alone; 0 picks a free one. They then leave the public port.",
    )
    ops_token: SecretStr = Field(
        SecretStr(""),
        description="Bearer token for `/readyz` and `/metrics`. With neither token nor port, only loopback clients get "
        "them.",
    )

    workers: int = Field(0, ge=0, le=256, description="Pixel workers; 0 means one per available core.")
    worker_jobs: int = Field(1_000, ge=1, description="Jobs after which a worker is replaced.")
    worker_rss_bytes: int = Field(
        512 * 2**20, ge=64 * 2**20, description="Resident memory at which a worker is replaced after its job."
    )
    worker_memory_bytes: int = Field(
        3 * 2**30, ge=512 * 2**20, description="Address space a worker may use (RLIMIT_AS)."
    )
    sandbox: Literal["require", "prefer"] = Field(
        "require",
        description="`require` refuses to start where the kernel lacks Landlock or seccomp; `prefer` starts and warns.",
    )

    formats: str = Field(
        "",
        description="Originals of these formats are taken as well, with commas: `svg`, `tiff`, `heic`, `jxl`, `pdf`.",
    )
    faces: bool = Field(False, description="`gface` finds faces; needs the extra `faces`, and 20 MB more a worker.")  # noqa: FBT003 - a default
    fonts: Path | None = Field(
        None,
        description="Folder of more fonts, for text in SVG and for letters that DejaVu Sans lacks; alike on all nodes.",
    )

    queue_length: int = Field(
        64, ge=1, le=10_000, description="Requests that may wait for their original or a worker; beyond it 503."
    )
    fetches: int = Field(32, ge=1, le=1_000, description="Originals fetched at once.")
    deadline_s: float = Field(10.0, gt=0, le=120, description="Time one request may take before 504.")
    render_deadline_s: float = Field(8.0, gt=0, le=120, description="Time one worker may take before it is killed.")
    drain_s: float = Field(
        15.0, ge=0, le=600, description="Time for running requests after SIGTERM; stopping takes at most 12 s more."
    )

    memory_cache_bytes: int = Field(256 * 2**20, ge=0, description="Budget of the in-process derivative cache.")
    derivative_disk_bytes: int = Field(
        10 * 2**30,
        ge=0,
        description="Disk for derivatives in the home folder; the least recently used go first. 0 means unlimited.",
    )
    redis_body_bytes: int = Field(512 * 2**10, ge=0, description="Largest derivative kept in Redis.")
    redis_ttl_s: int = Field(24 * 3600, ge=1, description="How long Redis keeps a derivative.")
    tenant_ttl_s: float = Field(
        5.0, ge=0.05, description="How long a tenant's keys and rules are used before they are read again."
    )

    source_deadline_s: float = Field(
        5.0, gt=0, le=120, description="Time a referenced source may take before 504, ahead of the picture's own time."
    )
    source_private: bool = Field(
        False,  # noqa: FBT003 - a setting's default
        description="Referenced HTTP sources may be on private and loopback addresses. Only for networks of your own.",
    )

    derivative_bytes: int = Field(
        32 * 2**20, ge=2**20, le=256 * 2**20, description="Largest derivative, 268435456 at most; beyond it 422."
    )
    source_bytes: int = Field(64 * 2**20, ge=1, description="Largest original.")
    source_pixels: int = Field(300_000_000, ge=1, description="Most pixels of one frame of an original.")
    source_side: int = Field(100_000, ge=1, description="Longest side of an original.")
    source_frames: int = Field(1_000, ge=1, description="Most frames of an original.")
    animation_pixels: int = Field(120_000_000, ge=1, description="Most pixels of all frames of an original together.")
    output_side: int = Field(8_192, ge=1, description="Longest side of a derivative.")
    output_pixels: int = Field(50_000_000, ge=1, description="Most pixels of all frames of a derivative together.")
    gif_pixels: int = Field(12_000_000, ge=1, description="Most pixels of a GIF in all frames, or of a palette PNG.")
    avif_pixels: int = Field(8_000_000, ge=1, description="Most pixels of an AVIF derivative.")
    avif_side: int = Field(8_192, ge=1, description="Longest side of an AVIF derivative.")

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: console on a terminal, JSON elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum log level.")
    log_requests: Literal["all", "work", "none"] = Field(
        "work",
        description="`work` logs renders and a sample of the refusals, `all` every request, `none` none.",
    )

    @field_validator("formats")
    @classmethod
    def _of_formats(cls, names: str) -> str:
        said = [name for one in names.split(",") if (name := one.strip())]
        known = [one.name for one in BY_SETTING]
        if strange := [name for name in said if name not in known]:
            raise ValueError(f"{', '.join(strange)}: write some of {','.join(known)}")
        return ",".join(said)

    @field_validator("base_url")
    @classmethod
    def _of_base_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
            raise ValueError("write http:// or https:// and a host")
        return url
