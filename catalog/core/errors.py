"""Refusals of the catalog, in the rendering of `proxy.core.errors`; `str(refusal)` says why and what to do.

DarkroomError
├── TenantNotFound 404
├── PresetNotFound 404
├── Conflict 409             nothing is changed
│   ├── TenantExists
│   ├── KeyConflict           a secret too short or used before, the last key, no such key
│   ├── PresetConflict        a name, a recipe or a number that cannot be
│   ├── WatermarkConflict     the same of a watermark
│   ├── SourceConflict        the same of a source
│   ├── FocusConflict         no focal point
│   └── RulesConflict         the same of a tenant's limits
├── Misconfigured 500        a setting is wrong: for whoever runs this, never for a client
└── Unavailable 503
    └── NotMigrated 503      the database's schema is not this version's
"""

from typing import ClassVar

from proxy.core.errors import DarkroomError, Unavailable


class Conflict(DarkroomError):
    """What is asked for cannot be, as things are."""

    status = 409
    max_age_s: ClassVar[int | None] = None


class TenantExists(Conflict):
    """The name is taken."""

    code = "tenant-exists"
    title = "Name taken"


class TenantNotFound(DarkroomError):
    """No tenant has this name."""

    status = 404
    code = "tenant-missing"
    title = "No such tenant"
    max_age_s: ClassVar[int | None] = None


class KeyConflict(Conflict):
    """The tenant's keys stay as they are."""

    code = "key-refused"
    title = "Key refused"


class PresetNotFound(DarkroomError):
    """The tenant has no preset of this name."""

    status = 404
    code = "preset-missing"
    title = "No such preset"
    max_age_s: ClassVar[int | None] = None


class PresetConflict(Conflict):
    """The tenant's presets stay as they are."""

    code = "preset-refused"
    title = "Preset refused"


class WatermarkConflict(Conflict):
    """The tenant's watermarks stay as they are."""

    code = "watermark-refused"
    title = "Watermark refused"


class SourceConflict(Conflict):
    """The tenant's sources stay as they are."""

    code = "source-refused"
    title = "Source refused"


class RulesConflict(Conflict):
    """The tenant's rules stay as they are."""

    code = "rules-refused"
    title = "Rules refused"


class FocusConflict(Conflict):
    """The original's focal point stays as it is."""

    code = "focus-refused"
    title = "Focal point refused"


class NotMigrated(Unavailable):
    """The database answers, and its tables are not the ones this version works with."""

    code = "not-migrated"
    title = "Database not migrated"


class Misconfigured(DarkroomError):
    """A setting is not what it has to be; the sentence names it."""

    status = 500
    code = "misconfigured"
    title = "Misconfigured"
    max_age_s: ClassVar[int | None] = None
