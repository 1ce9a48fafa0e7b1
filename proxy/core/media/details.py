"""Details: what people look for in an image's metadata: when, by which camera, whose, called what, where.

Input are EXIF fields as libvips names them (`exif-ifd0-Model`), already reduced to their plain text, and what XMP and
IPTC say (`proxy.core.media.descriptions`). Sources: EXIF 2.32 (CIPA DC-008), tables 4 to 8. The first of these counts:

    title      XMP dc:title · IPTC Object Name · EXIF ImageDescription, unless a camera wrote it
    taken_at   EXIF DateTimeOriginal · XMP · IPTC Date Created · EXIF DateTimeDigitized (a scan's own date)

Every text is bounded and printable; whatever does not parse is left out. Serial numbers and maker notes are not read.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Self

LONGEST_TEXT: Final = 255
LONGEST_COPYRIGHT: Final = 2_000
_MOMENT: Final = re.compile(r"([0-9]{4}):([0-9]{2}):([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):([0-9]{2})")
_FRACTION: Final = re.compile(r"([0-9]{1,10})/([0-9]{1,10})")
_WRITTEN_BY_CAMERAS: Final = frozenset(
    {"OLYMPUS DIGITAL CAMERA", "SONY DSC", "DIGITAL CAMERA", "DCIM", "SAMSUNG", "MINOLTA DIGITAL CAMERA", "DEFAULT"}
)
"""Descriptions that are the same in every image of a camera."""
_MAX_LATITUDE, _MAX_LONGITUDE = 90.0, 180.0
_FRACTIONS_OF_A_PLACE = 3


@dataclass(frozen=True, slots=True)
class Details:
    """What the metadata says; None where it does not."""

    taken_at: str | None = None
    """RFC 3339 in UTC; a camera that tells no offset is taken to be in UTC."""
    camera: str | None = None
    title: str | None = None
    copyright: str | None = None
    latitude: float | None = None
    longitude: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Rebuild details. Raise ValueError for values of other types or beyond their bounds."""
        texts = {name: _checked_text(values[name], name) for name in ("taken_at", "camera", "title", "copyright")}
        latitude = _checked_number(values["latitude"], _MAX_LATITUDE)
        longitude = _checked_number(values["longitude"], _MAX_LONGITUDE)
        if texts["taken_at"] is not None:
            texts["taken_at"] = _checked_moment(texts["taken_at"])
        return cls(**texts, latitude=latitude, longitude=longitude)


def read_details(
    fields: Mapping[str, str],
    copyright_text: str | None = None,
    title: str | None = None,
    created: datetime | None = None,
) -> Details:
    """Return the details that EXIF fields tell, with texts and a moment that were found elsewhere."""
    place = _read_place(fields)
    moment = _read_moment(fields, "Original") or created or _read_moment(fields, "Digitized")
    return Details(
        taken_at=None if moment is None else moment.isoformat(),
        camera=_read_camera(fields),
        title=_text(title or "") or _read_description(fields),
        copyright=_text(copyright_text or "", LONGEST_COPYRIGHT),
        latitude=None if place is None else place[0],
        longitude=None if place is None else place[1],
    )


def _read_description(fields: Mapping[str, str]) -> str | None:
    text = _text(fields.get("exif-ifd0-ImageDescription", ""))
    return None if text is None or text.upper() in _WRITTEN_BY_CAMERAS else text


def _read_moment(fields: Mapping[str, str], which: str) -> datetime | None:
    match = _MOMENT.match(fields.get(f"exif-ifd2-DateTime{which}", ""))
    if match is None:
        return None
    offset = _OFFSET.match(fields.get(f"exif-ifd2-OffsetTime{which}", ""))
    zone = UTC if offset is None else _zone(offset)
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(offset: re.Match[str]) -> timezone:
    minutes = int(offset[2]) * 60 + int(offset[3])
    limited = min(minutes, 14 * 60)
    return timezone(timedelta(minutes=limited if offset[1] == "+" else -limited))


def _read_camera(fields: Mapping[str, str]) -> str | None:
    """Return maker and model; many models begin with their maker's name."""
    make, model = (_text(fields.get(f"exif-ifd0-{name}", "")) or "" for name in ("Make", "Model"))
    if not model or model.lower().startswith(make.lower().partition(" ")[0]):
        return model or make or None
    return _text(f"{make} {model}")


def _read_place(fields: Mapping[str, str]) -> tuple[float, float] | None:
    latitude = _degrees(fields.get("exif-ifd3-GPSLatitude", ""), fields.get("exif-ifd3-GPSLatitudeRef", ""), "S")
    longitude = _degrees(fields.get("exif-ifd3-GPSLongitude", ""), fields.get("exif-ifd3-GPSLongitudeRef", ""), "W")
    if latitude is None or longitude is None or abs(latitude) > _MAX_LATITUDE or abs(longitude) > _MAX_LONGITUDE:
        return None
    return latitude, longitude


def _degrees(text: str, reference: str, negative: str) -> float | None:
    """Return degrees from three fractions: degrees, minutes, seconds."""
    parts = [int(above) / int(below) for above, below in _FRACTION.findall(text[:LONGEST_TEXT]) if int(below)]
    if len(parts) != _FRACTIONS_OF_A_PLACE:
        return None
    value = round(parts[0] + parts[1] / 60 + parts[2] / 3_600, 6)
    return -value if reference.strip().upper().startswith(negative) else value


def _text(text: str, longest: int = LONGEST_TEXT) -> str | None:
    printable = "".join(character for character in text if character.isprintable()).strip()
    return printable[:longest] or None


def _checked_text(value: object, name: str) -> str | None:
    longest = LONGEST_COPYRIGHT if name == "copyright" else LONGEST_TEXT
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise ValueError(f"{name} is not a printable text within its length")
    return value


def _checked_moment(text: str) -> str:
    """Return a moment in UTC. Raise ValueError if it is none, or names no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("taken_at has no offset from UTC")
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:
        raise ValueError("taken_at is out of range") from None


def _checked_number(value: object, most: float) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float) or not -most <= float(value) <= most:  # type: ignore[arg-type]
        raise ValueError("a coordinate is out of range")
    return float(value)  # type: ignore[arg-type]
