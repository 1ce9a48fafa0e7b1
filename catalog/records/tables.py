"""All tables, so that importing this module completes the metadata that migrations are compared with."""

from catalog.records.audit_event import AuditEvent
from catalog.records.base import Record, now
from catalog.records.collection import Collection
from catalog.records.compatibility import SchemaCompatibility
from catalog.records.daily_usage import DailyUsage
from catalog.records.derivative import Derivative
from catalog.records.entity import Entity, EntityLink
from catalog.records.identity import IdempotencyKey, Token
from catalog.records.image import Image, ImageTag, ImageVersion
from catalog.records.job import BatchItem, Job, Lane, Schedule
from catalog.records.key import Secret
from catalog.records.original import Original
from catalog.records.preset import Preset
from catalog.records.refused_original import RefusedOriginal
from catalog.records.search import ImageColor, NearDuplicate, SearchTerm, SearchText, SearchVariant
from catalog.records.source import Source
from catalog.records.tenant import Tenant
from catalog.records.tenant_settings import TenantSettings
from catalog.records.upload_session import UploadSession
from catalog.records.watermark import Watermark

__all__ = [
    "AuditEvent",
    "BatchItem",
    "Collection",
    "DailyUsage",
    "Derivative",
    "Entity",
    "EntityLink",
    "IdempotencyKey",
    "Image",
    "ImageColor",
    "ImageTag",
    "ImageVersion",
    "Job",
    "Lane",
    "NearDuplicate",
    "Original",
    "Preset",
    "Record",
    "RefusedOriginal",
    "Schedule",
    "SchemaCompatibility",
    "SearchTerm",
    "SearchText",
    "SearchVariant",
    "Secret",
    "Source",
    "Tenant",
    "TenantSettings",
    "Token",
    "UploadSession",
    "Watermark",
    "now",
]
