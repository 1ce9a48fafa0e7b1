"""Requests and answers about tenants."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from catalog.api.fields import Body, View
from catalog.keys.schemas import SigningSecret
from catalog.settings.schemas import SettingsDocument, document_of
from catalog.settings.service import OwnSettings
from catalog.tenants.service import TenantSummary
from proxy.core.identifiers import TENANT

TenantId = Annotated[str, StringConstraints(pattern=f"^{TENANT.pattern}$", max_length=31)]

_EXAMPLE: JsonDict = {"name": "acme", "created_at": "2026-11-24T12:00:00Z", "keys": 1, "originals": 3, "images": 2}


class TenantCreate(Body):
    """A tenant to be created."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "acme"}]})

    name: TenantId
    secret: Annotated[SigningSecret | None, Field(description="The first signing secret; generated if left out.")] = (
        None
    )
    settings: Annotated[SettingsDocument | None, Field(description="Its settings; the defaults if left out.")] = None


class TenantWrite(Body):
    """What can be changed of a tenant."""

    settings: Annotated[SettingsDocument, Field(description="All settings; what is left out has its default.")]


class TenantView(View):
    """A tenant, and how many keys that verify, originals and images it has; those in the trash count."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    created_at: datetime
    keys: int
    originals: int
    images: int


class TenantDetails(TenantView):
    """A tenant with its settings."""

    model_config = ConfigDict(json_schema_extra={"examples": []})

    settings: SettingsDocument


class FirstKey(View):
    """The first signing key of a tenant; its secret is in this answer and nowhere else."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": 7, "fingerprint": "87cbebfe", "secret": "correct-horse-battery-staple"}]}
    )

    id: int
    fingerprint: str
    secret: str


class TenantCreated(View):
    """A new tenant."""

    name: str
    key: FirstKey


def view_of(tenant: TenantSummary) -> TenantView:
    """Return a tenant as it is listed."""
    return TenantView.model_validate(_counts(tenant))


def details_of(tenant: TenantSummary, own: OwnSettings) -> TenantDetails:
    """Return a tenant with its settings."""
    return TenantDetails.model_construct(settings=document_of(own), **_counts(tenant))


def _counts(tenant: TenantSummary) -> dict[str, Any]:
    return {name: getattr(tenant, name) for name in TenantView.model_fields}
