"""`python -m tests.catalog.uploads.dying_server`: the `darkroom` command, which kills itself where a test wants it.

The file that DYING_AT names says where: `{point} before|after {n}`, the n-th time that the point is reached since then.
Without the file nothing happens. The points are the durable steps of an upload, and what stands between them.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

from catalog.api.change import Change
from catalog.cli.main import main
from catalog.uploads import completion, tus_routes
from proxy.adapters.files import FileOriginals, FileUploadParts
from proxy.adapters.s3 import S3Originals, S3UploadParts

DYING_AT = "DYING_AT"
_reached: Counter[str] = Counter()


def reach(point: str, when: str) -> None:
    """Die if this is where."""
    try:
        name, moment, count = Path(os.environ[DYING_AT]).read_text().split()
    except FileNotFoundError:
        _reached.clear()
        return
    if (name, moment) == (point, when):
        _reached[point] += 1
        if _reached[point] == int(count):
            os.kill(os.getpid(), signal.SIGKILL)


def dying(point: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the step with a point before and after it."""

    @wraps(step)
    async def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any step
        reach(point, "before")
        result = await step(*arguments, **options)
        reach(point, "after")
        return result

    return call


def make_mortal() -> None:
    """Put points around the steps."""
    steps: list[tuple[Any, str, str]] = [
        *((kind, name, name) for kind in (FileUploadParts, S3UploadParts) for name in ("append", "replace", "delete")),
        *((kind, "put", "original") for kind in (FileOriginals, S3Originals)),
        (Change, "run", "change"),
        (completion, "record_upload", "record"),
        (tus_routes, "_note", "progress"),
    ]
    for owner, name, point in steps:
        setattr(owner, name, dying(point, getattr(owner, name)))


if __name__ == "__main__":
    make_mortal()
    main()
