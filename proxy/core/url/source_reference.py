"""A reference: a source's address, as it stands in a URL instead of a content name.

    original  = "~" base64url( address )                       ; without padding, its one canonical spelling
    address   = "s3://" bucket "/" key
              / ( "https" / "http" ) "://" host [ ":" port ] "/" [ path ] [ "?" query ]

An address has one spelling too, so that no picture has two cache keys: what could be written in another way is refused,
and the answer says the right way. A key of S3 is any printable text; a path and a query are RFC 3986's characters.
`.` and `..` are no names of anything, however they are encoded: what reads `a/../b` in its own way would leave the
folder that a tenant may read.

A source (`proxy.core.url.source.Source`) allows what is its prefix or lies below it, cut at a `/`: `https://host/a`
allows `https://host/a/b` and not `https://host/ab`.
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
"""Longest address."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_PARTS = re.compile(r"(?P<scheme>s3|https?)://(?P<authority>[^/?#]*)(?P<path>/.*)?", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::(?P<port>[1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LIKE_A_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCATION = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")
_SAFE = "%/?:@!$&'()*+,;="
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_NEEDLESS = re.compile(r"%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)")
"""Unreserved characters, percent-encoded (RFC 3986 §6.2.2.2)."""
_HIDDEN = re.compile(r"%(?:2F|5C|00)")
"""Slash, backslash and the end of a C string: some servers decode them before they look where a path leads."""
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Reference:
    """The address of a source, checked; `str()` is its one spelling."""

    scheme: str
    """s3, https or http."""
    authority: str
    """A bucket, or a host with its port where that is not the scheme's own."""
    path: str
    """With the slash it begins with; for S3 that and the key."""
    query: str = ""
    """With its question mark."""

    def __str__(self) -> str:
        return f"{self.place}{self.query}"

    @property
    def place(self) -> str:
        """What prefixes are compared with."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def host(self) -> str:
        """The host without its port and brackets."""
        return self.authority.partition("]")[0][1:] if self.authority[0] == "[" else self.authority.partition(":")[0]

    @property
    def key(self) -> str:
        """For S3: the key in the bucket."""
        return self.path[1:]

    @property
    def fingerprint(self) -> str:
        """64 hex digits that stand for it in names of files and keys."""
        return sha256(str(self).encode()).hexdigest()


@lru_cache(maxsize=4_096)
def read_reference(original: str) -> Reference:
    """Read `~` and base64url; MalformedRequest says what is wrong, or how it is spelled."""
    encoded = original.removeprefix("~")
    try:
        raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        text = raw.decode()
    except ValueError:
        raise MalformedRequest("The reference is no base64url (without padding) of UTF-8 text.") from None
    if original != write_reference(text):
        raise MalformedRequest(
            "The reference is not in base64url's one spelling: no padding, its last unused bits zero."
        )
    return parse_reference(text)


def write_reference(text: str) -> str:
    """Give an address as it stands in a URL."""
    return "~" + urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def parse_reference(text: str) -> Reference:
    """Take an address apart; MalformedRequest says what is wrong with it."""
    scheme, authority, rest = _split(text)
    if len(rest) < 2 and scheme == "s3":  # noqa: PLR2004 - a slash and a character
        raise MalformedRequest("The reference names no object: s3://bucket/key.")
    if not rest:
        raise MalformedRequest("The reference's path begins with /, after the host.")
    path, mark, query = (rest, "", "") if scheme == "s3" else rest.partition("?")
    return Reference(scheme, authority, path, mark + query)


def follow(reference: Reference, location: str) -> Reference:
    """Give what a redirect from a reference leads to (RFC 9110 §10.2.2), in its one spelling; MalformedRequest."""
    try:
        parts = urlsplit(urljoin(str(reference), location))
    except ValueError:
        raise MalformedRequest("The redirect leads to no address.") from None
    authority = parts.netloc.lower().removesuffix(f":{DEFAULT_PORTS.get(parts.scheme)}")
    target = urlunsplit((parts.scheme, authority, _escaped(parts.path or "/"), _escaped(parts.query), ""))
    return parse_reference(target)


def _escaped(part: str) -> str:
    """Escape what has to be, and nothing that need not be: servers write their redirects as they like."""
    part = _ESCAPE.sub(lambda found: found[0].upper(), part)
    part = _NEEDLESS.sub(lambda found: unquote(found[0]), part)
    return quote(part, safe=_SAFE)


def check_prefix(text: str) -> str:
    """Give a source's prefix in the form to be kept, without a slash at its end.

    MalformedRequest says what is wrong.
    """
    scheme, authority, rest = _split(text)
    if scheme != "s3" and "?" in rest:
        raise MalformedRequest("A source's prefix has no query.")
    return f"{scheme}://{authority}{rest}".rstrip("/")


def find_source(sources: Iterable[Source], reference: Reference) -> Source:
    """Give the source that allows a reference, of several the one with the longest prefix; or SourceNotAllowed."""
    allowing = [source for source in sources if _allows(source.prefix, reference.place)]
    if not allowing:
        raise SourceNotAllowed(
            f"No source of this tenant leads to {reference.scheme}://{reference.authority} and this path: allow one."
        )
    return max(allowing, key=lambda source: len(source.prefix))


def _allows(prefix: str, place: str) -> bool:
    try:
        folder = _checked(prefix)
    except MalformedRequest:  # what cannot be read allows nothing
        return False
    return place == folder or place.startswith(folder + "/")


_checked = lru_cache(maxsize=4_096)(check_prefix)


def _split(text: str) -> tuple[str, str, str]:
    if len(text.encode()) > MAX_BYTES:
        raise MalformedRequest(f"The reference is over {MAX_BYTES} bytes.")
    found = _PARTS.fullmatch(text)
    if found is None:
        raise MalformedRequest("A reference is s3://bucket/key or https://host/path.")
    scheme, authority, rest = found["scheme"], found["authority"], found["path"] or ""
    if scheme == "s3":
        _check_bucket(authority, rest)
    else:
        _check_authority(scheme, authority)
        _check_location(rest)
    if any(segment in {".", ".."} for segment in re.split(r"[/\\]", rest.partition("?")[0])):
        raise MalformedRequest("The reference's path has . or .. in it: say the path it means.")
    return scheme, authority, rest


def _check_bucket(bucket: str, rest: str) -> None:
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise MalformedRequest("The reference's bucket is 3 to 63 of a-z, 0-9, - and . in single file.")
    if not rest.isprintable():
        raise MalformedRequest("The reference's key has characters that cannot be printed.")


def _check_authority(scheme: str, authority: str) -> None:
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise MalformedRequest(
            "The reference's host is a-z, 0-9, - and . (others as xn--…) or an address, a port behind a colon, "
            "and no user name."
        )
    if found["port"] and (int(found["port"]) > _MAX_PORT or int(found["port"]) == DEFAULT_PORTS[scheme]):
        raise MalformedRequest(
            "The reference's port is between 1 and 65535, and left out where it is the scheme's own."
        )
    _check_host(found["host"])


def _check_host(host: str) -> None:
    # what ends in a number is an IPv4 address to somebody, in many spellings (WHATWG URL §3.5): only the plain one
    try:
        if host.startswith("["):
            right = f"[{IPv6Address(host[1:-1]).compressed}]"
        elif _LIKE_A_NUMBER.fullmatch(host.rpartition(".")[2]):
            right = str(IPv4Address(host))
        else:
            right = host if all(map(_LABEL.fullmatch, host.split("."))) else ""
    except AddressValueError:
        right = ""
    if right != host:
        raise MalformedRequest(
            "The reference's host is no name and no address in its one spelling" + (f": {right}." * bool(right))
        )


def _check_location(location: str) -> None:
    if not _LOCATION.fullmatch(location):
        raise MalformedRequest(
            "The reference's path and query hold RFC 3986's characters, others as %XX in capitals, and no #."
        )
    if _NEEDLESS.search(location):
        raise MalformedRequest("The reference has letters, digits, - . _ or ~ percent-encoded: write them as they are.")
    if _HIDDEN.search(location.partition("?")[0]):
        raise MalformedRequest(
            "The reference's path has an encoded slash, backslash or NUL, which servers read differently."
        )
