"""Errors as they are remembered: the public data alone."""

from typing import TypeVar

from proxy.core.errors import DarkroomError

Error = TypeVar("Error", bound=DarkroomError)


def without_traceback(error: Error) -> Error:
    """Return a copy of the error that has its public data, but no traceback, cause or context.

    A remembered exception would keep alive every frame it was raised through, and all that those frames refer to. For
    the same reason a copy of what is remembered is raised, never the remembered error itself.
    """
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    return copy
