"""Origin of a change: what the audit trail tells of the request behind it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a change came from; the command line has no address."""

    address: str = ""
    user_agent: str = ""
    request: str = ""


COMMAND_LINE = Origin(user_agent="darkroom")
