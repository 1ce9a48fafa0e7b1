"""Negative cache: failures that would repeat are remembered, so that they are not paid for again and again.

Each failure is remembered for what caused it:

    original (and watermark)   UnsupportedFormat, CorruptImage, WorkerCrashed; every failure of a probe
    original and limits        LimitExceeded that names a limit of the original
    derivative and limits      any other LimitExceeded: the recipe, or what the installation lacks
    derivative                 DeadlineExceeded by a worker, WorkerKilled
    original, for seconds      NotFound of an unsigned request, which anybody may send

A signed request's NotFound is not remembered: an upload is visible at once.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from time import monotonic

from cachetools import TTLCache

from proxy.core.errors import (
    DarkroomError,
    DeadlineExceeded,
    LimitExceeded,
    NotFound,
    UnsupportedFormat,
    WorkerCrashed,
    WorkerKilled,
)
from proxy.core.identifiers import Digest
from proxy.delivery.bare_errors import without_traceback
from proxy.delivery.image_request import ImageRequest

FAILURE_S = 60.0
MISSING_S = 5.0
_SIZE = 10_000


class NegativeCache:
    """Failures by their cause; at most 10,000 of each lifetime."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._failures: TTLCache[Hashable, DarkroomError] = TTLCache(_SIZE, FAILURE_S, clock)
        self._missing: TTLCache[Hashable, DarkroomError] = TTLCache(_SIZE, MISSING_S, clock)

    def check(self, request: ImageRequest) -> None:
        """Raise the failure that is remembered for this request, if there is one."""
        limits = request.tenant.limits
        originals = (_original(request), _original(request, _watermark(request)))
        scopes = (*originals, (*_original(request), limits), (request.key, limits), request.key)
        errors = [self._failures.get(scope) for scope in scopes]
        if not request.signed:
            errors += [self._missing.get(scope) for scope in originals]
        for error in errors:
            if error is not None:
                raise without_traceback(error)

    @contextmanager
    def remembering(self, request: ImageRequest) -> Iterator[None]:
        """Remember the failure that leaves the block, where it would repeat."""
        try:
            yield
        except NotFound as error:
            if not request.signed:
                self._missing[_original(request, _watermark(request))] = without_traceback(error)
            raise
        except DarkroomError as error:
            scope = _scope(request, error)
            if scope is not None:
                self._failures[scope] = without_traceback(error)
            raise

    @contextmanager
    def remembering_probe(self, request: ImageRequest) -> Iterator[None]:
        """Remember the failure of a probe. No recipe is involved in it, so the original alone is the cause."""
        try:
            yield
        except (UnsupportedFormat, LimitExceeded, DeadlineExceeded, WorkerKilled) as error:
            self._failures[_original(request)] = without_traceback(error)
            raise


def _scope(request: ImageRequest, error: DarkroomError) -> Hashable | None:
    """Return what a failure of this request is remembered for; None if it is not remembered."""
    match error:
        case UnsupportedFormat() | WorkerCrashed():
            return _original(request, _watermark(request))
        case LimitExceeded(limit=limit) if limit:
            return *_original(request), request.tenant.limits
        case LimitExceeded():
            return request.key, request.tenant.limits
        case DeadlineExceeded() | WorkerKilled():
            return request.key
        case _:
            return None


def _original(request: ImageRequest, watermark: Digest | None = None) -> tuple[Hashable, ...]:
    return request.tenant.name, request.original, watermark


def _watermark(request: ImageRequest) -> Digest | None:
    """Return the watermark's original: a worker does not report which of the two images a failure is about."""
    overlay = request.recipe.watermark
    return request.tenant.watermarks[overlay.content].original if overlay else None
