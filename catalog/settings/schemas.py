"""The settings of a tenant as a JSON document: what `GET /api/settings` answers can be sent back by `PUT`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt, StringConstraints
from pydantic.config import JsonDict

from catalog.api.fields import Body, EntityType, Name, check_unique
from catalog.core.tenant_rules import MAX_EAGER_PRESETS, MAX_ORIGINS, Retention, TenantRules
from catalog.core.upload_rules import (
    DANGEROUS_EXTENSIONS,
    DEFAULT_MAX_BYTES,
    EXTENSIONS,
    TenantUploadRules,
    UploadRules,
    is_known_format,
)
from catalog.core.web_origin import LONGEST_ORIGIN, web_origin
from catalog.settings.service import DEFAULT_TTL_S, LONGEST_TTL_S, OwnSettings, audited
from proxy.core.planning.limits import HARD_CAPS
from proxy.core.planning.rendering_options import RenderingOptions

MAX_ENTITY_TYPES: Final = 100
MAX_EXTENSIONS: Final = 32
LONGEST_RETENTION_DAYS: Final = 36_500

_EXAMPLE: JsonDict = {
    "limits": {"output_side": 4096},
    "rendering": {"linear": False, "crisp": True, "wide": False},
    "hints": False,
    "reference_ttl_s": 3600,
    "uploads": {
        "default": {"max_bytes": 52428800, "formats": ["jpeg", "png", "webp"]},
        "by_entity_type": {"logo": {"max_bytes": 1048576, "formats": ["png"], "extensions": ["png"]}},
    },
    "retention": {"trash_days": 30, "versions_days": None, "audit_days": 365, "jobs_days": 30},
    "keep_location": False,
    "eager_presets": ["card", "preview"],
    "optimize": True,
    "scan": False,
    "cors_origins": ["https://shop.example.com"],
}


def check_format(name: str) -> str:
    """Return the name of a format. Raise ValueError if originals have no such format."""
    if not is_known_format(name):
        raise ValueError(f"This is not a format of originals. Specify one of: {', '.join(EXTENSIONS)}.")
    return name


def check_extension(extension: str) -> str:
    """Return a file extension. Raise ValueError for one that is refused whatever the rules are."""
    if extension in DANGEROUS_EXTENSIONS:
        raise ValueError("Files with this extension are always refused, because some server may run them.")
    return extension


def _limit(most: int) -> Any:  # noqa: ANN401 - a description of a field
    return Field(ge=1, le=most, description=f"1 to {most}; null for the installation's limit.")


FormatName = Annotated[str, StringConstraints(max_length=16), AfterValidator(check_format)]
Extension = Annotated[str, StringConstraints(pattern="^[a-z0-9]{1,10}$"), AfterValidator(check_extension)]
WebOrigin = Annotated[str, StringConstraints(max_length=LONGEST_ORIGIN), AfterValidator(web_origin)]
Days = Annotated[
    StrictInt | None, Field(ge=1, le=LONGEST_RETENTION_DAYS, description="Days; null keeps them for ever.")
]


class LimitsDocument(Body):
    """Limits of the tenant; null is the installation's."""

    source_bytes: Annotated[StrictInt | None, _limit(HARD_CAPS.source_bytes)] = None
    source_pixels: Annotated[StrictInt | None, _limit(HARD_CAPS.source_pixels)] = None
    source_side: Annotated[StrictInt | None, _limit(HARD_CAPS.source_side)] = None
    source_frames: Annotated[StrictInt | None, _limit(HARD_CAPS.source_frames)] = None
    animation_pixels: Annotated[StrictInt | None, _limit(HARD_CAPS.animation_pixels)] = None
    output_side: Annotated[StrictInt | None, _limit(HARD_CAPS.output_side)] = None
    output_pixels: Annotated[StrictInt | None, _limit(HARD_CAPS.output_pixels)] = None
    gif_pixels: Annotated[StrictInt | None, _limit(HARD_CAPS.gif_pixels)] = None
    avif_pixels: Annotated[StrictInt | None, _limit(HARD_CAPS.avif_pixels)] = None
    avif_side: Annotated[StrictInt | None, _limit(HARD_CAPS.avif_side)] = None


class RenderingDocument(Body):
    """How images are rendered. A change deletes the tenant's derivatives."""

    linear: Annotated[StrictBool, Field(description="Resize in linear light.")] = False
    crisp: Annotated[StrictBool, Field(description="Sharpen slightly after downscaling.")] = False
    wide: Annotated[StrictBool, Field(description="Keep colours beyond sRGB where format and client allow.")] = False


class UploadRulesDocument(Body):
    """What is taken in."""

    max_bytes: Annotated[StrictInt, Field(ge=1, le=HARD_CAPS.source_bytes)] = DEFAULT_MAX_BYTES
    max_pixels: Annotated[StrictInt | None, _limit(HARD_CAPS.source_pixels)] = None
    formats: Annotated[
        list[FormatName] | None,
        Field(min_length=1, max_length=len(EXTENSIONS), description="null takes all that the installation reads."),
    ] = None
    extensions: Annotated[
        list[Extension] | None,
        Field(min_length=1, max_length=MAX_EXTENSIONS, description="null takes those of the formats."),
    ] = None
    require_matching_type: Annotated[
        StrictBool, Field(description="Refuse a file whose declared type or extension is another format's.")
    ] = True
    reject_trailing_data: Annotated[
        StrictBool, Field(description="Refuse bytes after the image's end; otherwise they are cut off.")
    ] = False
    reject_active_content: Annotated[
        StrictBool, Field(description="Refuse files that hold scripts of web pages or servers.")
    ] = False


class UploadsDocument(Body):
    """Rules of uploads. Those of an entity type replace the default ones as a whole, for uploads that are linked."""

    default: Annotated[UploadRulesDocument, Field(default_factory=UploadRulesDocument)]
    by_entity_type: Annotated[
        dict[EntityType, UploadRulesDocument], Field(max_length=MAX_ENTITY_TYPES, default_factory=dict)
    ]


class RetentionDocument(Body):
    """How long things are kept."""

    trash_days: Days = 30
    versions_days: Days = None
    audit_days: Days = 365
    jobs_days: Days = 30


class SettingsDocument(Body):
    """The settings of a tenant. PUT replaces all of them: what is left out has its default."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    limits: Annotated[LimitsDocument, Field(default_factory=LimitsDocument)]
    rendering: Annotated[RenderingDocument, Field(default_factory=RenderingDocument)]
    hints: Annotated[StrictBool, Field(description="Apply client hints and Save-Data to auto images.")] = False
    reference_ttl_s: Annotated[
        StrictInt, Field(ge=1, le=LONGEST_TTL_S, description="Seconds until a source is asked for changes.")
    ] = DEFAULT_TTL_S
    uploads: Annotated[UploadsDocument, Field(default_factory=UploadsDocument)]
    retention: Annotated[RetentionDocument, Field(default_factory=RetentionDocument)]
    keep_location: Annotated[
        StrictBool, Field(description="Read the place where an image was taken, and answer with it.")
    ] = False
    eager_presets: Annotated[
        list[Name],
        Field(
            max_length=MAX_EAGER_PRESETS,
            default_factory=list,
            description="Presets that are rendered right after an upload.",
        ),
        AfterValidator(check_unique),
    ]
    optimize: Annotated[StrictBool, Field(description="Make an optimised version after an upload.")] = True
    scan: Annotated[StrictBool, Field(description="Have uploads scanned, where there is a scanner.")] = False
    cors_origins: Annotated[
        list[WebOrigin],
        Field(max_length=MAX_ORIGINS, default_factory=list, description="Origins whose pages may call the API."),
        AfterValidator(check_unique),
    ]

    def to_settings(self) -> OwnSettings:
        """Return the settings as the service takes them."""
        rendering, uploads = self.rendering, self.uploads
        return OwnSettings(
            limits=self.limits.model_dump(exclude_none=True),
            rendering=RenderingOptions(
                linear_light=rendering.linear, sharpen_downscaled=rendering.crisp, wide_gamut=rendering.wide
            ),
            hints=self.hints,
            reference_ttl_s=self.reference_ttl_s,
            rules=TenantRules(
                uploads=TenantUploadRules(
                    _upload_rules(uploads.default),
                    {name: _upload_rules(rules) for name, rules in uploads.by_entity_type.items()},
                ),
                retention=Retention(**self.retention.model_dump()),
                keep_location=self.keep_location,
                eager_presets=tuple(self.eager_presets),
                optimize=self.optimize,
                scan=self.scan,
                cors_origins=tuple(self.cors_origins),
            ),
        )


def document_of(own: OwnSettings) -> SettingsDocument:
    """Return settings as they are answered, without validation: an older version may have written others."""
    values = audited(own)
    uploads = own.rules.uploads
    return SettingsDocument.model_construct(
        **values
        | {
            "limits": LimitsDocument.model_construct(
                **{name: values["limits"].get(name) for name in LimitsDocument.model_fields}
            ),
            "rendering": RenderingDocument.model_construct(**values["rendering"]),
            "retention": RetentionDocument.model_construct(**asdict(own.rules.retention)),
            "uploads": UploadsDocument.model_construct(
                default=_rules_document(uploads.default),
                by_entity_type={name: _rules_document(rules) for name, rules in uploads.by_entity_type.items()},
            ),
        }
    )


def _upload_rules(document: UploadRulesDocument) -> UploadRules:
    values = document.model_dump()
    for name in ("formats", "extensions"):
        if values[name] is not None:
            values[name] = frozenset(values[name])
    return UploadRules(**values)


def _rules_document(rules: UploadRules) -> UploadRulesDocument:
    return UploadRulesDocument.model_construct(
        **asdict(rules) | {"formats": _sorted(rules.formats), "extensions": _sorted(rules.extensions)}
    )


def _sorted(names: frozenset[str] | None) -> Sequence[str] | None:
    return None if names is None else sorted(names)
