"""The principal of a command: the user of the machine, acting for a tenant."""

from getpass import getuser
from typing import TYPE_CHECKING

from proxy.core.identifiers import TenantName

if TYPE_CHECKING:
    from catalog.core.roles import Principal


def principal_for(tenant: str) -> "Principal":
    """Return the operator `cli:{user}`; `cli:unknown` where the process's user has no name, as in some containers."""
    from catalog.core.roles import Principal, Role

    try:
        user = getuser()
    except (KeyError, OSError):
        user = "unknown"
    return Principal(f"cli:{user[:64]}", TenantName(tenant), Role.OPERATOR)
