"""Title and moment of an image in XMP and IPTC blocks. Whatever does not parse is left out.

XMP (ISO 16684-1) has `dc:title`, `exif:DateTimeOriginal` and `photoshop:DateCreated`, in ISO 8601. IPTC (IIM 4.2) has
Object Name (2:05), Date Created (2:55, CCYYMMDD) and Time Created (2:60, HHMMSS±HHMM). A day without a time is its
beginning; a time without an offset is taken to be in UTC, as in EXIF.
"""

import re
from datetime import UTC, datetime
from typing import Final

from proxy.core.media.copyright import read_dataset, read_property

_OBJECT_NAME, _DATE_CREATED, _TIME_CREATED = 5, 55, 60
_MOMENTS: Final = (b"exif:DateTimeOriginal", b"photoshop:DateCreated")
_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})?)?")
_DATE: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_TIME: Final = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})(?:([+-][0-9]{2})([0-9]{2}))?")


def read_title(xmp: bytes, iptc: bytes) -> str:
    """Return the title, of XMP before IPTC; empty if there is none."""
    return next(iter(read_property(xmp, b"dc:title")), "") or read_dataset(iptc, _OBJECT_NAME)


def read_created(xmp: bytes, iptc: bytes) -> datetime | None:
    """Return when the image was taken, in UTC, of XMP before IPTC."""
    moments = (_to_moment(text) for name in _MOMENTS for text in read_property(xmp, name)[:1])
    return next((moment for moment in moments if moment is not None), None) or _to_moment(_read_iptc(iptc))


def _read_iptc(block: bytes) -> str:
    """Return Date and Time Created in ISO 8601; empty if there is no date."""
    date = _DATE.fullmatch(read_dataset(block, _DATE_CREATED))
    if date is None:
        return ""
    day = "-".join(date.groups())
    time = _TIME.fullmatch(read_dataset(block, _TIME_CREATED))
    if time is None:
        return day
    hour, minute, second, zone_hour, zone_minute = time.groups()
    zone = "" if zone_hour is None else f"{zone_hour}:{zone_minute}"
    return f"{day}T{hour}:{minute}:{second}{zone}"


def _to_moment(text: str) -> datetime | None:
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text).replace(microsecond=0)
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
