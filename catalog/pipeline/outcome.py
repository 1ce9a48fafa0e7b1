"""What one run of the pipeline works on, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from catalog.core.optimization import Candidate
from proxy.core.errors import DarkroomError, Unavailable
from proxy.core.identifiers import Digest, TenantName

OPTIMIZED: Final = "optimized"
PRESET_PREFIX: Final = "preset:"


@dataclass(frozen=True, slots=True)
class Subject:
    """An image and the original that it stands on: what was true when the run began."""

    tenant: TenantName
    image: str
    number: int
    original: Digest
    media_type: str
    size_bytes: int
    pixels: int
    frames: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that failed. `temporary` says that another attempt may succeed."""

    part: str
    code: str
    detail: str
    temporary: bool

    @classmethod
    def of(cls, part: str, error: DarkroomError) -> "Failure":
        """Return the failure that an error means."""
        return cls(part, error.code, error.detail, isinstance(error, Unavailable))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The best version, None where none was asked for or it failed; how many presets were rendered; what failed."""

    optimized: Candidate | None
    presets: int
    failures: tuple[Failure, ...]

    @property
    def temporary(self) -> Failure | None:
        """The first failure for which another attempt may help."""
        return next((failure for failure in self.failures if failure.temporary), None)


def is_pipeline_part(part: str) -> bool:
    """Return whether a failed part is one of the pipeline, not of the examination."""
    return part == OPTIMIZED or part.startswith(PRESET_PREFIX)


def explain(failures: Sequence[Failure]) -> str | None:
    """Return why parts failed, in one line; None if none did."""
    return "; ".join(f"{failure.part}: {failure.detail}" for failure in failures) or None
