"""The command `darkroom`, whose tenants have the sources that DARKROOM_TEST_SOURCES tells: JSON, prefix to credentials.

They also have a preset `card` that needs no seal.
"""

import json
import os
from dataclasses import replace

from catalog.cli import main
from catalog.tenants import SqlTenants
from proxy.core.grammar import parse
from proxy.core.names import TenantName
from proxy.core.tenant import Source, Tenant

_find = SqlTenants.find


async def _find_with_sources(self: SqlTenants, name: TenantName) -> Tenant | None:
    tenant = await _find(self, name)
    told = json.loads(os.environ["DARKROOM_TEST_SOURCES"])
    sources = tuple(Source(prefix, tuple(credentials.items())) for prefix, credentials in told.items())
    return tenant and replace(
        tenant,
        sources=sources,
        reference_ttl_s=int(os.environ["DARKROOM_TEST_TTL_S"]),
        presets={"card": parse("w40-webp")},
        unsigned=frozenset({"card"}),
    )


SqlTenants.find = _find_with_sources  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
