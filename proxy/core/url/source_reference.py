"""A reference: the address of an original at a source, which replaces the digest in a URL.

    original  = "~" base64url( address )                       ; canonical, without padding
    address   = "s3://" bucket "/" key
              / ( "https" / "http" ) "://" host [ ":" port ] "/" [ path ] [ "?" query ]

An address has one canonical form as well, so that no picture has two cache keys; other forms are rejected. An S3 key is
any printable text; a path and a query consist of the characters of RFC 3986. The path segments `.` and `..` are
rejected in every encoding, because a server that resolves them would leave the folder that the tenant may read.

A source (`proxy.core.url.source.Source`) allows its prefix and everything below it, separated by `/`: `https://host/a`
allows `https://host/a/b`, but not `https://host/ab`.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from proxy.core.errors import MalformedRequest, SourceNotAllowed
from proxy.core.url.source import Source

MAX_BYTES: Final = 1_024
"""Greatest length of an address, in bytes."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_PARTS = re.compile(r"(?P<scheme>s3|https?)://(?P<authority>[^/?#]*)(?P<path>/.*)?", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::(?P<port>[1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCATION = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")
_SAFE = "%/?:@!$&'()*+,;="
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED_ESCAPE = re.compile(r"%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)")
"""Percent-encoded unreserved characters (RFC 3986 §6.2.2.2)."""
_UNSAFE_ESCAPE = re.compile(r"%(?:2F|5C|00)")
"""Percent-encoded slash, backslash and NUL: some servers decode them before they resolve a path."""
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Reference:
    """The address of an original at a source, after validation; `str()` returns its canonical form."""

    scheme: str
    """s3, https or http."""
    authority: str
    """A bucket, or a host with its port unless that is the default port of the scheme."""
    path: str
    """The path with its leading slash; for S3, a slash and the key."""
    query: str = ""
    """The query with its question mark, or empty."""

    def __str__(self) -> str:
        return f"{self.place}{self.query}"

    @property
    def place(self) -> str:
        """The address without the query, which is compared with the prefixes of sources."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def host(self) -> str:
        """The host without its port and brackets."""
        return self.authority.partition("]")[0][1:] if self.authority[0] == "[" else self.authority.partition(":")[0]

    @property
    def key(self) -> str:
        """The S3 key within the bucket."""
        return self.path[1:]

    @property
    def fingerprint(self) -> str:
        """64 hex digits that identify the reference in file names and keys."""
        return sha256(str(self).encode()).hexdigest()


@lru_cache(maxsize=4_096)
def read_reference(original: str) -> Reference:
    """Return the reference of `~` and base64url. Raise MalformedRequest if it is invalid or not canonical."""
    encoded = original.removeprefix("~")
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        text = raw.decode()
    except ValueError:
        raise MalformedRequest("The reference must be UTF-8 text in base64url without padding.") from None
    if original != write_reference(text):
        raise MalformedRequest(
            "The reference is not in canonical base64url: remove the padding and set the unused last bits to zero."
        )
    return parse_reference(text)


def write_reference(text: str) -> str:
    """Return an address as it is written in a URL."""
    return "~" + urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def parse_reference(text: str) -> Reference:
    """Return the parts of an address. Raise MalformedRequest if it is invalid or not canonical."""
    scheme, authority, rest = _split(text)
    if len(rest) < 2 and scheme == "s3":  # noqa: PLR2004 - a slash and a character
        raise MalformedRequest("The reference does not name an object. Use s3://bucket/key.")
    if not rest:
        raise MalformedRequest("The path of the reference must start with / after the host.")
    path, mark, query = (rest, "", "") if scheme == "s3" else rest.partition("?")
    return Reference(scheme, authority, path, mark + query)


def follow(reference: Reference, location: str) -> Reference:
    """Return the canonical target of a redirect (RFC 9110 §10.2.2). Raise MalformedRequest if it is invalid."""
    try:
        parts = urlsplit(urljoin(str(reference), location))
    except ValueError:
        raise MalformedRequest("The redirect does not lead to a valid address.") from None
    authority = parts.netloc.lower().removesuffix(f":{DEFAULT_PORTS.get(parts.scheme)}")
    target = urlunsplit((parts.scheme, authority, _escaped(parts.path or "/"), _escaped(parts.query), ""))
    return parse_reference(target)


def _escaped(part: str) -> str:
    """Return a part of a redirect with canonical percent-encoding; servers send other forms, too."""
    part = _ESCAPE.sub(lambda match: match[0].upper(), part)
    part = _UNRESERVED_ESCAPE.sub(lambda match: unquote(match[0]), part)
    return quote(part, safe=_SAFE)


def check_prefix(text: str) -> str:
    """Return the prefix of a source in the form to be stored, without a trailing slash.

    Raise MalformedRequest if it is invalid.
    """
    scheme, authority, rest = _split(text)
    if scheme != "s3" and "?" in rest:
        raise MalformedRequest("The prefix of a source must not have a query.")
    return f"{scheme}://{authority}{rest}".rstrip("/")


def find_source(sources: Iterable[Source], reference: Reference) -> Source:
    """Return the source with the longest prefix that allows a reference. Raise SourceNotAllowed if there is none."""
    allowing = [source for source in sources if _allows(source.prefix, reference.place)]
    if not allowing:
        raise SourceNotAllowed(
            f"No source of the tenant allows {reference.scheme}://{reference.authority} with this path. Add a source."
        )
    return max(allowing, key=lambda source: len(source.prefix))


def _allows(prefix: str, place: str) -> bool:
    try:
        folder = _checked(prefix)
    except MalformedRequest:  # an invalid prefix allows nothing
        return False
    return place == folder or place.startswith(folder + "/")


_checked = lru_cache(maxsize=4_096)(check_prefix)


def _split(text: str) -> tuple[str, str, str]:
    if len(text.encode()) > MAX_BYTES:
        raise MalformedRequest(f"The reference exceeds {MAX_BYTES} bytes.")
    match = _PARTS.fullmatch(text)
    if match is None:
        raise MalformedRequest("The reference must be s3://bucket/key or https://host/path.")
    scheme, authority, rest = match["scheme"], match["authority"], match["path"] or ""
    if scheme == "s3":
        _check_bucket(authority, rest)
    else:
        _check_authority(scheme, authority)
        _check_location(rest)
    if any(segment in {".", ".."} for segment in re.split(r"[/\\]", rest.partition("?")[0])):
        raise MalformedRequest("The path of the reference contains . or .. segments. Specify the resolved path.")
    return scheme, authority, rest


def _check_bucket(bucket: str, rest: str) -> None:
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise MalformedRequest("The bucket of the reference must be 3 to 63 of a-z, 0-9, - and single dots.")
    if not rest.isprintable():
        raise MalformedRequest("The key of the reference contains characters that are not printable.")


def _check_authority(scheme: str, authority: str) -> None:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise MalformedRequest(
            "The host of the reference must be a-z, 0-9, - and . (others as xn--…) or an address, optionally with a "
            "colon and a port, and without a user name."
        )
    if match["port"] and (int(match["port"]) > _MAX_PORT or int(match["port"]) == DEFAULT_PORTS[scheme]):
        raise MalformedRequest(
            "The port of the reference must be between 1 and 65535. Omit the default port of the scheme."
        )
    _check_host(match["host"])


def _check_host(host: str) -> None:
    # some clients treat every host that ends in a number as IPv4 (WHATWG URL §3.5): only dotted decimal is accepted
    try:
        if host.startswith("["):
            canonical = f"[{IPv6Address(host[1:-1]).compressed}]"
        elif _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
            canonical = str(IPv4Address(host))
        else:
            canonical = host if all(map(_LABEL.fullmatch, host.split("."))) else ""
    except AddressValueError:
        canonical = ""
    if canonical != host:
        raise MalformedRequest(
            "The host of the reference is not a canonical name or address." + f" Use {canonical}." * bool(canonical)
        )


def _check_location(location: str) -> None:
    if not _LOCATION.fullmatch(location):
        raise MalformedRequest(
            "The path and query of the reference must be RFC 3986 characters, others as upper-case %XX, without #."
        )
    if _UNRESERVED_ESCAPE.search(location):
        raise MalformedRequest(
            "The reference contains percent-encoded letters, digits, - . _ or ~. Do not encode them."
        )
    if _UNSAFE_ESCAPE.search(location.partition("?")[0]):
        raise MalformedRequest(
            "The path of the reference contains an encoded slash, backslash or NUL, which is not supported."
        )
