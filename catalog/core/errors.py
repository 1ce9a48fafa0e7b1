"""Errors of the catalog, subclasses of `proxy.core.errors.DarkroomError`.

DarkroomError
├── TenantNotFound 404
├── PresetNotFound 404
├── WatermarkNotFound 404
├── SourceNotFound 404
├── KeyNotFound 404           no key of this id verifies
├── Conflict 409              nothing is changed
│   ├── TenantExists
│   ├── TenantConflict        the tenant to delete is not empty
│   ├── KeyConflict           a secret too short or already used, the last key
│   ├── PresetConflict        an invalid name, recipe or ladder, or too many presets
│   ├── WatermarkConflict     the same for watermarks
│   ├── SourceConflict        the same for sources
│   ├── FocusConflict         an invalid focal point
│   └── RulesConflict         an invalid rule or limit of a tenant
├── Misconfigured 500         an invalid setting, for the operator
│   └── SecretsUnreadable     a stored secret is encrypted with a key that is not configured
└── Unavailable 503
    ├── NotMigrated 503       the database's schema does not fit this version
    └── ScannerUnavailable 503

The message says what is wrong, then what to do.
"""

from typing import ClassVar

from proxy.core.errors import DarkroomError, Unavailable


class Conflict(DarkroomError):
    """The request is not possible in the current state."""

    status = 409
    max_age_s: ClassVar[int | None] = None


class TenantExists(Conflict):
    """The name is taken."""

    code = "tenant-exists"
    title = "Name taken"


class TenantConflict(Conflict):
    """The tenant cannot be deleted."""

    code = "tenant-not-empty"
    title = "Tenant not empty"


class TenantNotFound(DarkroomError):
    """No tenant has this name."""

    status = 404
    code = "tenant-missing"
    title = "No such tenant"
    max_age_s: ClassVar[int | None] = None


class KeyConflict(Conflict):
    """The change of the tenant's keys is refused."""

    code = "key-refused"
    title = "Key refused"


class PresetNotFound(DarkroomError):
    """The tenant has no preset of this name."""

    status = 404
    code = "preset-missing"
    title = "No such preset"
    max_age_s: ClassVar[int | None] = None


class WatermarkNotFound(DarkroomError):
    """The tenant has no watermark of this name."""

    status = 404
    code = "watermark-missing"
    title = "No such watermark"
    max_age_s: ClassVar[int | None] = None


class SourceNotFound(DarkroomError):
    """The tenant has no such source."""

    status = 404
    code = "source-unknown"
    title = "No such source"
    max_age_s: ClassVar[int | None] = None


class KeyNotFound(DarkroomError):
    """The tenant has no key of this id that verifies."""

    status = 404
    code = "key-missing"
    title = "No such key"
    max_age_s: ClassVar[int | None] = None


class PresetConflict(Conflict):
    """The change of the tenant's presets is refused."""

    code = "preset-refused"
    title = "Preset refused"


class WatermarkConflict(Conflict):
    """The change of the tenant's watermarks is refused."""

    code = "watermark-refused"
    title = "Watermark refused"


class SourceConflict(Conflict):
    """The change of the tenant's sources is refused."""

    code = "source-refused"
    title = "Source refused"


class RulesConflict(Conflict):
    """The change of the tenant's rules is refused."""

    code = "rules-refused"
    title = "Rules refused"


class FocusConflict(Conflict):
    """The change of the original's focal point is refused."""

    code = "focus-refused"
    title = "Focal point refused"


class NotMigrated(Unavailable):
    """The database answers, but its schema does not fit this version."""

    code = "not-migrated"
    title = "Database not migrated"


class ScannerUnavailable(Unavailable):
    """The scanner for malware does not answer in time, or its answer makes no sense."""

    code = "scanner-unavailable"
    title = "Scanner unavailable"


class Misconfigured(DarkroomError):
    """A setting is invalid; the message names it."""

    status = 500
    code = "misconfigured"
    title = "Misconfigured"
    max_age_s: ClassVar[int | None] = None


class SecretsUnreadable(Misconfigured):
    """A stored secret cannot be decrypted with the configured keys."""

    code = "secrets-unreadable"
    title = "Secrets unreadable"
