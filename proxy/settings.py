"""Settings: environment variables `DARKROOM_*`, each with its default and a description."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from proxy.core.media.formats import BY_SETTING


class Settings(BaseSettings):
    """Settings of an installation. Sizes are in bytes, times in seconds. docs/settings.md is the same table."""

    model_config = SettingsConfigDict(env_prefix="DARKROOM_", extra="ignore", frozen=True)

    home: Path = Field(
        Path(".darkroom"), description="Home folder: SQLite database, key file, originals and derivatives."
    )
    database_url: str = Field(
        "",
        description="Database URL, `postgresql+asyncpg://…`. Empty: SQLite in the home folder.",
    )
    migration_database_url: str = Field(
        "",
        description="Database URL of the owner of the tables, for `darkroom migrate` alone; `DARKROOM_DATABASE_URL` is "
        "then of a role that row-level security restricts. Empty: one role for both.",
    )
    secret_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys that encrypt signing secrets and source credentials in the database, separated by commas, "
        "the newest first (`darkroom secrets key` prints one). Empty: SQLite uses the file `secret.keys` in the home "
        "folder; PostgreSQL requires a key.",
    )
    jwt_issuers: SecretStr = Field(
        SecretStr(""),
        description="Identity providers whose JWT the API accepts: a JSON list of objects (docs/security.md).",
    )
    api_rates: str = Field(
        "",
        description="Limits of the API in requests per minute, per token and per tenant, such as "
        "`read=1200/6000,upload=300/1500` (docs/security.md). Empty: the defaults.",
    )
    redis_url: str = Field(
        "", description="Redis URL, for recently used derivatives and for waking job workers. Empty: no Redis."
    )
    store_url: str = Field(
        "",
        description="Store of originals and derivatives, `s3://bucket/prefix`. Empty: the home folder.",
    )
    s3_endpoint_url: str = Field("", description="Endpoint of an S3-compatible service. Empty: AWS.")
    s3_access_key_id: str = Field("", description="S3 access key ID. Empty: the credentials the AWS SDK finds.")
    s3_secret_access_key: SecretStr = Field(SecretStr(""), description="S3 secret access key.")
    s3_region: str = Field("us-east-1", description="S3 region.")
    base_url: str = Field(
        "http://127.0.0.1:8000", description="Public URL of this server; the URLs that commands print begin with it."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on. 0: any free port.")

    ops_host: str = Field("127.0.0.1", description="Address to listen on for `/readyz` and `/metrics`.")
    ops_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port for only `/readyz` and `/metrics`, which then leave the public port. 0: any free port.",
    )
    ops_token: SecretStr = Field(
        SecretStr(""),
        description="Bearer token for `/readyz` and `/metrics`. Without token and port, only loopback clients get "
        "them.",
    )

    workers: int = Field(0, ge=0, le=256, description="Number of worker processes. 0: one per available core.")
    worker_jobs: int = Field(1_000, ge=1, description="Number of jobs after which a worker is replaced.")
    worker_rss_bytes: int = Field(
        512 * 2**20, ge=64 * 2**20, description="Resident memory above which a worker is replaced after its job."
    )
    worker_memory_bytes: int = Field(
        3 * 2**30, ge=512 * 2**20, description="Maximum address space of a worker (RLIMIT_AS)."
    )
    sandbox: Literal["require", "prefer"] = Field(
        "require",
        description="`require`: do not start if the kernel lacks Landlock or seccomp. `prefer`: log a warning.",
    )

    formats: str = Field(
        "",
        description="Additional formats of originals, separated by commas: `svg`, `tiff`, `heic`, `jxl`, `pdf`.",
    )
    faces: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Enable face detection (`gface`); requires the extra `faces` and 20 MB per worker.",
    )
    fonts: Path | None = Field(
        None,
        description="Folder of additional fonts, for text in SVG and characters DejaVu Sans lacks; equal on all nodes.",
    )

    queue_length: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Maximum number of requests that wait for an original or a worker; further ones are answered 503.",
    )
    fetches: int = Field(32, ge=1, le=1_000, description="Maximum number of originals fetched at the same time.")
    deadline_s: float = Field(10.0, gt=0, le=120, description="Deadline of a request; after it the answer is 504.")
    render_deadline_s: float = Field(8.0, gt=0, le=120, description="Deadline of a job; after it the worker is killed.")
    drain_s: float = Field(
        15.0,
        ge=0,
        le=600,
        description="Time for running requests to finish after SIGTERM; stopping takes at most 12 s more.",
    )

    body_bytes_per_s: int = Field(
        1_024,
        ge=1,
        le=2**20,
        description="Minimum rate of a request body of the API, in bytes per second; a slower one is answered 408.",
    )
    body_window_s: float = Field(
        30.0, gt=0, le=600, description="Time of waiting for a body over which its rate is measured."
    )

    job_concurrency: int = Field(
        4, ge=0, le=256, description="Maximum number of catalog jobs a process runs at the same time. 0: none."
    )
    job_lease_s: float = Field(
        30.0, ge=1, le=3_600, description="Time without a sign of life after which another worker gets a job."
    )

    memory_cache_bytes: int = Field(256 * 2**20, ge=0, description="Size of the derivative cache in memory.")
    derivative_disk_bytes: int = Field(
        10 * 2**30,
        ge=0,
        description="Disk for derivatives in the home folder; the least recently used go first. 0: unlimited.",
    )
    redis_body_bytes: int = Field(512 * 2**10, ge=0, description="Maximum size of a derivative in Redis.")
    redis_ttl_s: int = Field(24 * 3600, ge=1, description="Time until a derivative expires in Redis.")
    tenant_ttl_s: float = Field(5.0, ge=0.05, description="Time until the cached keys and rules of a tenant expire.")

    source_deadline_s: float = Field(
        5.0,
        gt=0,
        le=120,
        description="Deadline of a referenced source, before that of the request begins; after it the answer is 504.",
    )
    source_private: bool = Field(
        False,  # noqa: FBT003 - a setting's default
        description="Allow referenced HTTP sources on private and loopback addresses; only for trusted networks.",
    )

    clamd: str = Field(
        "",
        description="ClamAV daemon that scans uploads of tenants with the rule `scan`: `tcp://host:3310` or "
        "`unix:///path`. Empty: none.",
    )

    derivative_bytes: int = Field(
        32 * 2**20,
        ge=2**20,
        le=256 * 2**20,
        description="Maximum size of a derivative; a larger one is answered 422. At most 268435456.",
    )
    source_bytes: int = Field(64 * 2**20, ge=1, description="Maximum size of an original.")
    source_pixels: int = Field(300_000_000, ge=1, description="Maximum number of pixels in a frame of an original.")
    source_side: int = Field(100_000, ge=1, description="Maximum width and height of an original.")
    source_frames: int = Field(1_000, ge=1, description="Maximum number of frames of an original.")
    animation_pixels: int = Field(
        120_000_000, ge=1, description="Maximum number of pixels in all frames of an original."
    )
    output_side: int = Field(8_192, ge=1, description="Maximum width and height of a derivative.")
    output_pixels: int = Field(50_000_000, ge=1, description="Maximum number of pixels in all frames of a derivative.")
    gif_pixels: int = Field(
        12_000_000, ge=1, description="Maximum number of pixels in all frames of a GIF, or in a palette PNG."
    )
    avif_pixels: int = Field(8_000_000, ge=1, description="Maximum number of pixels of an AVIF derivative.")
    avif_side: int = Field(8_192, ge=1, description="Maximum width and height of an AVIF derivative.")

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: console on a terminal, JSON otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum log level.")
    log_requests: Literal["all", "work", "none"] = Field(
        "work",
        description="`work`: log renders and a sample of the refusals. `all`: every request. `none`: none.",
    )

    @field_validator("formats")
    @classmethod
    def _check_formats(cls, value: str) -> str:
        names = [name for word in value.split(",") if (name := word.strip())]
        supported = [kind.name for kind in BY_SETTING]
        if unsupported := [name for name in names if name not in supported]:
            raise ValueError(f"{', '.join(unsupported)}: specify a list of {','.join(supported)}")
        return ",".join(names)

    @field_validator("clamd")
    @classmethod
    def _check_clamd(cls, address: str) -> str:
        if address and not re.fullmatch(r"unix:///.+|tcp://(\[[0-9a-f:.]+\]|[^\s/:@\[\]]+):[0-9]{1,5}", address):
            raise ValueError("specify tcp://host:3310 or unix:///path")
        return address

    @field_validator("base_url")
    @classmethod
    def _check_base_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
            raise ValueError("specify http:// or https:// and a host")
        return url
