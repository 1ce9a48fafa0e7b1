"""Exit codes of the `darkroom` command, and how each error maps to one."""

import signal
from enum import IntEnum

from proxy.core.errors import DarkroomError, DeadlineExceeded, Unavailable

EXIT_CODES = "Exit codes: 0 success, 1 refused or failed, 2 wrong usage or settings, 3 a backend is unavailable."


class Exit(IntEnum):
    """Exit status of the process."""

    FINE = 0
    REFUSED = 1
    USAGE = 2
    UNAVAILABLE = 3
    OUTPUT_CLOSED = 128 + signal.SIGPIPE
    """The status a shell reports for a process that SIGPIPE ended."""


def exit_code(error: DarkroomError) -> Exit:
    """Return the exit status for an error of the catalog or the delivery plane."""
    from catalog.core.errors import Misconfigured

    if isinstance(error, Misconfigured):
        return Exit.USAGE
    unavailable = isinstance(error, Unavailable) and not isinstance(error, DeadlineExceeded)
    return Exit.UNAVAILABLE if unavailable else Exit.REFUSED


def expected_exit_code(error: Exception) -> Exit | None:
    """Return the exit status for another error whose message is meant for the operator, or None for a bug."""
    from proxy.backends import SettingError
    from proxy.workers.process import WorkerStartError

    if isinstance(error, SettingError):
        return Exit.USAGE
    return Exit.UNAVAILABLE if isinstance(error, WorkerStartError) else None
