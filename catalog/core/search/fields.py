"""The fields that a search can name: one row for each."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a field's value can be, with how it is told in errors."""

    TEXT = "a word, a word with * at its end, or a phrase in quotation marks"
    NUMBER = "a number, >=2000, <100 or 100..200"
    BYTES = "a size such as 300kb, >=2mb or 1mb..5mb"
    MOMENT = "the last days (7d), a date (2026, 2026-11, 2026-11-24), >=2026-11 or 2025..2026"
    CHOICE = "one of its words"
    COLOR = "a colour such as #a0522d or red"
    ENTITY = "a type or type/id, such as product or product/42"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field: its kind, the words of a choice, and what it means."""

    name: str
    kind: Kind
    meaning: str
    words: tuple[str, ...] = ()


ORIENTATIONS: Final = ("landscape", "portrait", "square")
STATUSES: Final = ("processing", "ready", "rejected", "quarantined", "trashed")
FORMATS: Final = ("jpeg", "png", "webp", "gif", "avif", "tiff", "svg", "heic", "jxl", "pdf")
MISSING: Final = ("title", "alt", "caption", "tags", "entity", "collection", "taken", "camera")
COLORS: Final = {
    "black": "#000000",
    "blue": "#1e4bd2",
    "brown": "#8b5a2b",
    "cyan": "#19c8d2",
    "gray": "#808080",
    "green": "#2e8b3a",
    "orange": "#f08020",
    "pink": "#f08cb4",
    "purple": "#8232a0",
    "red": "#d2281e",
    "white": "#ffffff",
    "yellow": "#f5dc28",
}

RULES: Final = (
    FieldRule("name", Kind.TEXT, "the file's name"),
    FieldRule("title", Kind.TEXT, "the title"),
    FieldRule("alt", Kind.TEXT, "the alternative text"),
    FieldRule("caption", Kind.TEXT, "the caption"),
    FieldRule("tag", Kind.TEXT, "a whole tag, or its beginning with *"),
    FieldRule("meta", Kind.TEXT, "the value of a key of the metadata: meta.sku:42"),
    FieldRule("format", Kind.CHOICE, "the original's format", FORMATS),
    FieldRule("width", Kind.NUMBER, "upright, in pixels"),
    FieldRule("height", Kind.NUMBER, "upright, in pixels"),
    FieldRule("pixels", Kind.NUMBER, "width × height"),
    FieldRule("bytes", Kind.BYTES, "the original's size"),
    FieldRule("ratio", Kind.NUMBER, "width ÷ height"),
    FieldRule("orientation", Kind.CHOICE, "by its upright sides", ORIENTATIONS),
    FieldRule("color", Kind.COLOR, "a dominant colour near to this one"),
    FieldRule("status", Kind.CHOICE, "the image's status", STATUSES),
    FieldRule("entity", Kind.ENTITY, "what shows the image"),
    FieldRule("collection", Kind.TEXT, "the collection's name or id"),
    FieldRule("by", Kind.TEXT, "who uploaded it"),
    FieldRule("uploaded", Kind.MOMENT, "when it was uploaded"),
    FieldRule("updated", Kind.MOMENT, "when it was changed last"),
    FieldRule("taken", Kind.MOMENT, "when the picture was taken"),
    FieldRule("quality", Kind.NUMBER, "the quality score, 0 to 100"),
    FieldRule("used", Kind.NUMBER, "how many entities show it"),
    FieldRule("missing", Kind.CHOICE, "what the image lacks", MISSING),
    FieldRule("duplicate", Kind.CHOICE, "whether another image looks nearly the same", ("true", "false")),
)
FIELDS: Final = {rule.name: rule for rule in RULES}
