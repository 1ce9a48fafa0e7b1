"""Settings of a command: the environment, overridden by command-line options."""

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from catalog.core.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from proxy.settings import Settings

Result = TypeVar("Result")


def read_settings(**overrides: object) -> "Settings":
    """Return the settings from the environment; options that are None override nothing.

    Raise Misconfigured, which names each variable with an invalid value.
    """
    from pydantic import ValidationError

    from proxy.settings import Settings

    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [
            f"{'_'.join(['DARKROOM', *map(str, fault['loc'])]).upper()}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise Misconfigured(f"{'; '.join(faults)}. See docs/settings.md for the accepted values.") from None


def run(work: "Coroutine[Any, Any, Result]", tenant: str | None = None) -> Result:
    """Run a command's coroutine to completion and return its result.

    It reaches the rows of one tenant; of every tenant where the command names none, because whoever may run commands is
    of the house.
    """
    from catalog.records.tenant_scope import every_tenant, tenant_scope
    from proxy.core.identifiers import TenantName

    with every_tenant() if tenant is None else tenant_scope(TenantName(tenant)):
        return asyncio.run(work)
