"""All tables, so that importing this module completes the metadata that migrations are compared with."""

from catalog.records.base import Record, now
from catalog.records.compatibility import SchemaCompatibility
from catalog.records.derivative import Derivative
from catalog.records.key import Secret
from catalog.records.original import Original
from catalog.records.preset import Preset
from catalog.records.source import Source
from catalog.records.tenant import Tenant
from catalog.records.watermark import Watermark

__all__ = [
    "Derivative",
    "Original",
    "Preset",
    "Record",
    "SchemaCompatibility",
    "Secret",
    "Source",
    "Tenant",
    "Watermark",
    "now",
]
