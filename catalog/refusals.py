"""Refusals of the catalog, in the manner of `proxy.core.errors`; `str(refusal)` says why and what to do.

Refusal
├── TenantExists 409
├── TenantMissing 404
├── KeyRefused 409           a secret too short or used before, the last key, no such key
├── PresetMissing 404
├── PresetRefused 409        a name, a recipe or a number that cannot be
├── WatermarkRefused 409     the same of a watermark
├── SourceRefused 409        the same of a source
├── FocusRefused 409         no focal point
├── RulesRefused 409         the same of a tenant's limits
├── Misconfigured 500        a setting is wrong: for whoever runs this, never for a client
└── Unavailable 503
    └── NotMigrated 503      the database's schema is not this version's
"""

from typing import ClassVar

from proxy.core.errors import Refusal, Unavailable


class TenantExists(Refusal):
    """The name is taken."""

    status = 409
    code = "tenant-exists"
    title = "Tenant exists"
    max_age_s: ClassVar[int | None] = None


class TenantMissing(Refusal):
    """No tenant has this name."""

    status = 404
    code = "tenant-missing"
    title = "No such tenant"
    max_age_s: ClassVar[int | None] = None


class KeyRefused(Refusal):
    """The tenant's keys stay as they are."""

    status = 409
    code = "key-refused"
    title = "Key refused"
    max_age_s: ClassVar[int | None] = None


class PresetMissing(Refusal):
    """The tenant has no preset of this name."""

    status = 404
    code = "preset-missing"
    title = "No such preset"
    max_age_s: ClassVar[int | None] = None


class PresetRefused(Refusal):
    """The tenant's presets stay as they are."""

    status = 409
    code = "preset-refused"
    title = "Preset refused"
    max_age_s: ClassVar[int | None] = None


class WatermarkRefused(Refusal):
    """The tenant's watermarks stay as they are."""

    status = 409
    code = "watermark-refused"
    title = "Watermark refused"
    max_age_s: ClassVar[int | None] = None


class SourceRefused(Refusal):
    """The tenant's sources stay as they are."""

    status = 409
    code = "source-refused"
    title = "Source refused"
    max_age_s: ClassVar[int | None] = None


class RulesRefused(Refusal):
    """The tenant's rules stay as they are."""

    status = 409
    code = "rules-refused"
    title = "Rules refused"
    max_age_s: ClassVar[int | None] = None


class FocusRefused(Refusal):
    """The original's focal point stays as it is."""

    status = 409
    code = "focus-refused"
    title = "Focal point refused"
    max_age_s: ClassVar[int | None] = None


class NotMigrated(Unavailable):
    """The database answers, and its tables are not the ones this version works with."""

    code = "not-migrated"
    title = "Database not migrated"


class Misconfigured(Refusal):
    """A setting is not what it has to be; the sentence names it."""

    status = 500
    code = "misconfigured"
    title = "Misconfigured"
    max_age_s: ClassVar[int | None] = None
