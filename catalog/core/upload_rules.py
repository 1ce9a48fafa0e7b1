"""Upload rules: what a tenant takes, decided by one pure function from what is known of a file.

The order of checks is that of their cost: name, declared type, size, then the sniffed type, then the header. The first
violation is reported. Names and declared types never make a file acceptable; they only make it refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from proxy.core.media.facts import Facts
from proxy.core.media.formats import FORMATS, Format

DEFAULT_MAX_BYTES: Final = 50 * 2**20
LONGEST_NAME: Final = 255

DANGEROUS_EXTENSIONS: Final = frozenset(
    {
        "asp",
        "aspx",
        "bat",
        "bash",
        "cgi",
        "cmd",
        "com",
        "cpl",
        "dll",
        "elf",
        "exe",
        "hta",
        "htm",
        "html",
        "jar",
        "js",
        "jsp",
        "lnk",
        "mjs",
        "msi",
        "php",
        "php3",
        "php4",
        "php5",
        "php7",
        "phar",
        "phtml",
        "pif",
        "pl",
        "ps1",
        "py",
        "rb",
        "scr",
        "sh",
        "shtml",
        "so",
        "svgz",
        "swf",
        "vb",
        "vbe",
        "vbs",
        "wsf",
        "xhtml",
        "xht",
        "xml",
    }
)
"""Refused anywhere in a name (`photo.php.jpg`), even if the bytes are a picture: some server will run them."""

EXTENSIONS: Final[Mapping[str, frozenset[str]]] = {
    "jpeg": frozenset({"jpg", "jpeg", "jpe", "jfif"}),
    "png": frozenset({"png", "apng"}),
    "webp": frozenset({"webp"}),
    "gif": frozenset({"gif"}),
    "avif": frozenset({"avif", "avifs"}),
    "tiff": frozenset({"tif", "tiff"}),
    "svg": frozenset({"svg"}),
    "heic": frozenset({"heic", "heif"}),
    "jxl": frozenset({"jxl"}),
    "pdf": frozenset({"pdf"}),
}
_UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
_ALIASES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/heif": "image/heic",
}
_EXTENSION = re.compile(r"[a-z0-9]{1,10}")
ACTIVE_CONTENT: Final = ("<script", "<?php", "<iframe", "<!doctype html", "javascript:")
_ACTIVE_MARKS: Final = {
    text.encode(encoding): text for text in ACTIVE_CONTENT for encoding in ("ascii", "utf-16-le", "utf-16-be")
}
_LONGEST_MARK: Final = max(map(len, _ACTIVE_MARKS))


@dataclass(frozen=True, slots=True)
class UploadRules:
    """What a tenant takes, for all entity types or for one; None follows the installation."""

    max_bytes: int = DEFAULT_MAX_BYTES
    max_pixels: int | None = None
    formats: frozenset[str] | None = None
    """Names of formats (`jpeg`, `png`, …); None means all that the installation reads."""
    extensions: frozenset[str] | None = None
    """Allowed file extensions; None means those of the allowed formats."""
    require_matching_type: bool = True
    """Refuse a file whose declared media type or extension is that of another format."""
    reject_trailing_data: bool = False
    """Refuse bytes after the picture's end; otherwise they are cut off."""
    reject_active_content: bool = False
    """Refuse files that hold scripts, in their metadata or anywhere else: pictures at URLs never do, downloads would.

    Compressed pixels match by chance in about one of 30,000 files of 5 MB.
    """


@dataclass(frozen=True, slots=True)
class TenantUploadRules:
    """A tenant's rules, and those that differ for images of an entity type."""

    default: UploadRules = field(default_factory=UploadRules)
    by_entity_type: Mapping[str, UploadRules] = field(default_factory=dict)

    def rules_for(self, entity_type: str | None) -> UploadRules:
        """Return the rules for an upload that is linked to an entity of that type."""
        return self.default if entity_type is None else self.by_entity_type.get(entity_type, self.default)


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a file is refused: a stable code, and a sentence that says what to do."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a file so far; None means not known yet, and is not checked."""

    file_name: str | None = None
    declared_type: str | None = None
    size_bytes: int | None = None
    sniffed: Format | None = None
    sniffed_known: bool = False
    facts: Facts | None = None
    trailing_bytes: int = 0
    active_content: str | None = None
    """The first script that was found."""


def check_upload(candidate: Candidate, rules: UploadRules, readable: tuple[Format, ...]) -> Violation | None:
    """Return the first violation of the rules by what is known of the file, or None."""
    allowed = tuple(known for known in readable if rules.formats is None or known.name in rules.formats)
    return (
        _check_name(candidate, rules, allowed)
        or _check_size(candidate, rules)
        or _check_format(candidate, allowed)
        or _check_agreement(candidate, rules)
        or _check_pixels(candidate, rules)
        or _check_end(candidate, rules)
        or _check_active_content(candidate, rules)
    )


def with_sniffed(candidate: Candidate, sniffed: Format | None) -> Candidate:
    """Return the candidate with the format that its first bytes show."""
    return replace(candidate, sniffed=sniffed, sniffed_known=True)


def extensions_of(file_name: str) -> tuple[str, ...]:
    """Return all extensions of a name in lower case: `a.PHP.jpg` has `php` and `jpg`."""
    _, *extensions = file_name.strip().rstrip(".").lower().split(".")
    return tuple(extension.strip() for extension in extensions)


def _check_name(candidate: Candidate, rules: UploadRules, allowed: tuple[Format, ...]) -> Violation | None:
    if candidate.file_name is None:
        return None
    extensions = extensions_of(candidate.file_name)
    if dangerous := next((extension for extension in extensions if extension in DANGEROUS_EXTENSIONS), None):
        return Violation("extension-dangerous", f"File names with .{dangerous} are refused: rename the file.")
    if "\0" in candidate.file_name:
        return Violation("file-name", "The file name contains a NUL character: rename the file.")
    last = extensions[-1] if extensions and _EXTENSION.fullmatch(extensions[-1]) else None
    known = rules.extensions or _extensions_of_formats(allowed)
    if last is not None and last not in known and (rules.extensions is not None or _is_image_extension(last)):
        return Violation("extension", f"Files with .{last} are not accepted. Accepted: {', '.join(sorted(known))}.")
    return None


def _check_size(candidate: Candidate, rules: UploadRules) -> Violation | None:
    if candidate.size_bytes is None:
        return None
    if candidate.size_bytes == 0:
        return Violation("empty", "The file is empty: send its bytes.")
    if candidate.size_bytes > rules.max_bytes:
        return Violation("too-large", f"The file has {candidate.size_bytes} bytes; the limit is {rules.max_bytes}.")
    return None


def _check_format(candidate: Candidate, allowed: tuple[Format, ...]) -> Violation | None:
    if not candidate.sniffed_known or candidate.sniffed in allowed:
        return None
    names = ", ".join(image_format.name for image_format in allowed)
    if candidate.sniffed is None:
        return Violation("format", f"The bytes are not an image in a supported format. Supported: {names}.")
    return Violation("format", f"{candidate.sniffed.name} images are not accepted. Accepted: {names}.")


def _check_agreement(candidate: Candidate, rules: UploadRules) -> Violation | None:
    """Compare what the name and the client declare with what the bytes are."""
    if candidate.sniffed is None or not rules.require_matching_type:
        return None
    declared = (candidate.declared_type or "").partition(";")[0].strip().lower()
    declared = _ALIASES.get(declared, declared)
    if declared not in _UNDECLARED and declared != candidate.sniffed.media_type:
        found = candidate.sniffed.media_type
        return Violation(
            "type-mismatch", f"The declared type is {declared[:80]}; the bytes are {found}: declare {found}."
        )
    extensions = extensions_of(candidate.file_name or "")
    last = extensions[-1] if extensions else ""
    if _is_image_extension(last) and last not in EXTENSIONS.get(candidate.sniffed.name, frozenset()):
        return Violation(
            "extension-mismatch",
            f"The name ends with .{last}; the bytes are {candidate.sniffed.name}: rename the file.",
        )
    return None


def _check_pixels(candidate: Candidate, rules: UploadRules) -> Violation | None:
    if candidate.facts is None or rules.max_pixels is None:
        return None
    pixels = candidate.facts.width * candidate.facts.height
    if pixels > rules.max_pixels:
        return Violation(
            "too-many-pixels", f"The image has {pixels} pixels; the limit is {rules.max_pixels}: scale it down."
        )
    return None


def _check_end(candidate: Candidate, rules: UploadRules) -> Violation | None:
    if candidate.trailing_bytes and rules.reject_trailing_data:
        return Violation("trailing-data", f"{candidate.trailing_bytes} bytes follow the end of the image: remove them.")
    return None


def _check_active_content(candidate: Candidate, rules: UploadRules) -> Violation | None:
    if candidate.active_content is None or not rules.reject_active_content:
        return None
    return Violation(
        "active-content", f"The file contains {candidate.active_content}: remove its metadata, or export it again."
    )


def find_active_content(blocks: Iterable[bytes]) -> str | None:
    """Return the first beginning of a script in a file, or None; letters of either case match, also in UTF-16."""
    tail = b""
    for block in blocks:
        text = (tail + block).lower()
        for mark, name in _ACTIVE_MARKS.items():
            if mark in text:
                return name
        tail = text[1 - _LONGEST_MARK :]
    return None


def _extensions_of_formats(formats: tuple[Format, ...]) -> frozenset[str]:
    return frozenset(extension for allowed in formats for extension in EXTENSIONS.get(allowed.name, ()))


def _is_image_extension(extension: str) -> bool:
    return any(extension in known for known in EXTENSIONS.values())


def is_known_format(name: str) -> bool:
    """Return whether a format of that name can be an original."""
    return name in FORMATS and name in EXTENSIONS
