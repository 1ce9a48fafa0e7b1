"""A tenant's rules on the management plane: one document with defaults, read leniently and written strictly.

Reading ignores names that a newer version has written, so that an older node goes on. What a client writes is checked
by the API's schema before it comes here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from catalog.core.upload_rules import TenantUploadRules, UploadRules

MAX_EAGER_PRESETS: Final = 16
MAX_ORIGINS: Final = 32
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in days; None is for ever."""

    trash_days: int | None = 30
    versions_days: int | None = None
    audit_days: int | None = 365
    jobs_days: int | None = 30


@dataclass(frozen=True, slots=True)
class TenantRules:
    """What a tenant may choose beyond what delivery has to know."""

    uploads: TenantUploadRules = field(default_factory=TenantUploadRules)
    retention: Retention = field(default_factory=Retention)
    keep_location: bool = False
    """Read the place where an image was taken, and answer with it."""
    eager_presets: tuple[str, ...] = ()
    """Presets that are rendered right after an upload."""
    optimize: bool = True
    """Make an optimised version after an upload."""
    scan: bool = False
    """Have uploads scanned where the installation has a scanner."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the API."""


def read_rules(document: Mapping[str, Any]) -> TenantRules:
    """Return the rules that a stored document holds; what it lacks or what cannot be read has the default."""
    uploads = document.get("uploads")
    uploads = uploads if isinstance(uploads, Mapping) else {}
    by_type = uploads.get("by_entity_type")
    return TenantRules(
        uploads=TenantUploadRules(
            default=_upload_rules(uploads.get("default")),
            by_entity_type={
                str(name): _upload_rules(rules)
                for name, rules in (by_type if isinstance(by_type, Mapping) else {}).items()
            },
        ),
        retention=Retention(**_known(Retention, document.get("retention"))),
        keep_location=document.get("keep_location") is True,
        eager_presets=_texts(document.get("eager_presets"))[:MAX_EAGER_PRESETS],
        optimize=document.get("optimize") is not False,
        scan=document.get("scan") is True,
        cors_origins=_texts(document.get("cors_origins"))[:MAX_ORIGINS],
    )


def write_rules(rules: TenantRules) -> dict[str, Any]:
    """Return the document that `read_rules` reads."""
    document = asdict(rules)
    document["uploads"] = {
        "default": _written(rules.uploads.default),
        "by_entity_type": {name: _written(own) for name, own in rules.uploads.by_entity_type.items()},
    }
    document["eager_presets"], document["cors_origins"] = list(rules.eager_presets), list(rules.cors_origins)
    return document


def _upload_rules(document: object) -> UploadRules:
    values = _known(UploadRules, document)
    for name in ("formats", "extensions"):
        if values.get(name) is not None:
            values[name] = frozenset(_texts(values[name]))
    return UploadRules(**values)


def _written(rules: UploadRules) -> dict[str, Any]:
    document = asdict(rules)
    for name in ("formats", "extensions"):
        if document[name] is not None:
            document[name] = sorted(document[name])
    return document


def _known(kind: type[Any], document: object) -> dict[str, Any]:
    """Return the members of a document that the dataclass knows, of plain types."""
    if not isinstance(document, Mapping):
        return {}
    names = {known.name for known in fields(kind)}
    plain = (int, bool, list, type(None))
    return {name: value for name, value in document.items() if name in names and isinstance(value, plain)}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list | tuple) else ()
