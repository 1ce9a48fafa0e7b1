"""A link: the parts of a request target, checked for shape alone.

    target    = "/t/" tenant "/" original "/" recipe [ "?" query ]
    tenant    = [a-z0-9] *30[a-z0-9-]
    original  = 64( 0-9 / a-f ) / "~" base64url       ; a SHA-256, or a reference to a source
    recipe    = 1*unreserved                          ; RFC 3986 §2.3; never a "%"
    query     = [ "e=" unix "&" ] "s=" seal / "e=" unix

The raw path is what is sealed and what is parsed: nothing is decoded, nothing repaired.
"""

import re
from dataclasses import dataclass, field

from proxy.core.errors import MalformedRequest, TargetTooLong
from proxy.core.identifiers import Digest, TenantName

MAX_TARGET = 2_048
"""Longest path and query together, in bytes."""

_PATH = re.compile(
    r"/t/(?P<tenant>[a-z0-9][a-z0-9-]{0,30})/(?P<original>[0-9a-f]{64}|~[A-Za-z0-9_-]{4,1400})/(?P<recipe>[A-Za-z0-9._~-]+)"
)
_QUERY = re.compile(r"(?:e=(?P<expires>0|[1-9][0-9]{0,10})(?:&|\Z))?(?:s=(?P<seal>[^&]*))?")
_SHAPE = "/t/{tenant}/{original}/{recipe}?s={seal}"


@dataclass(frozen=True, slots=True)
class Link:
    """A well-shaped request target; nothing in it has been believed yet."""

    tenant: TenantName
    original: str
    """A Digest, or `~` and a reference."""
    recipe: str
    expires: int | None
    """Unix seconds after which the link is void."""
    seal: str | None = field(repr=False)
    sealed_text: str
    """What the seal signs: the raw path, plus `?e=` where there is one."""

    @property
    def digest(self) -> Digest | None:
        """The original's content name; None for a reference."""
        return None if self.original.startswith("~") else Digest(self.original)


def parse_target(raw_path: bytes, query: bytes) -> Link:
    """Split a raw path and query; MalformedRequest or TargetTooLong say what is wrong."""
    if len(raw_path) + len(query) > MAX_TARGET:
        raise TargetTooLong(f"The path and query are over {MAX_TARGET} bytes.")
    path = _text(raw_path)
    found = _PATH.fullmatch(path)
    if found is None:
        raise MalformedRequest(_what_is_wrong(path))
    asked = _QUERY.fullmatch(_text(query))
    if asked is None or query.endswith(b"&"):
        raise MalformedRequest(
            "The query holds e (a Unix time) and s (the seal), in this order, each at most once, and nothing else."
        )
    expires = asked["expires"]
    return Link(
        tenant=TenantName(found["tenant"]),
        original=found["original"],
        recipe=found["recipe"],
        expires=None if expires is None else int(expires),
        seal=asked["seal"],
        sealed_text=path if expires is None else f"{path}?e={expires}",
    )


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")  # every byte one character: what is not ASCII fails the shapes


def _what_is_wrong(path: str) -> str:
    """Name the first part that has not its shape; the path itself is not echoed."""
    parts = path.split("/")
    if len(parts) != 5 or parts[:2] != ["", "t"]:  # noqa: PLR2004 - the shape's five parts
        return f"The path is {_SHAPE}."
    _, _, tenant, original, recipe = parts
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", tenant):
        return "The tenant is 1 to 31 of a-z, 0-9 and -, the first a letter or a digit."
    if not re.fullmatch(r"[0-9a-f]{64}|~[A-Za-z0-9_-]{4,1400}", original):
        return "The original is 64 lower-case hex digits (its SHA-256), or ~ and a base64url source reference."
    if not recipe:
        return "The recipe is empty: say at least a format, for example auto."
    return "The recipe holds only A-Z, a-z, 0-9 and . _ ~ - ; nothing is percent-encoded."
