"""A link: the parts of a request target, of which only the shape is checked.

    target    = "/t/" tenant "/" original "/" recipe [ "?" query ]
    tenant    = [a-z0-9] *30[a-z0-9-]
    original  = 64( 0-9 / a-f ) / "~" base64url       ; a SHA-256, or a reference to a source
    recipe    = 1*unreserved                          ; RFC 3986 §2.3; never a "%"
    query     = [ "e=" unix "&" ] "s=" seal / "e=" unix

The raw path is both sealed and parsed: nothing is decoded or repaired.
"""

import re
from dataclasses import dataclass, field

from proxy.core.errors import MalformedRequest, TargetTooLong
from proxy.core.identifiers import Digest, TenantName

MAX_TARGET = 2_048
"""Greatest length of path and query together, in bytes."""

_PATH = re.compile(
    r"/t/(?P<tenant>[a-z0-9][a-z0-9-]{0,30})/(?P<original>[0-9a-f]{64}|~[A-Za-z0-9_-]{4,1400})/(?P<recipe>[A-Za-z0-9._~-]+)"
)
_QUERY = re.compile(r"(?:e=(?P<expires>0|[1-9][0-9]{0,10})(?:&|\Z))?(?:s=(?P<seal>[^&]*))?")
_SHAPE = "/t/{tenant}/{original}/{recipe}?s={seal}"


@dataclass(frozen=True, slots=True)
class Link:
    """A request target with a valid shape; its seal is not verified yet."""

    tenant: TenantName
    original: str
    """A digest, or `~` and an encoded reference."""
    recipe: str
    expires: int | None
    """Unix time, in seconds, after which the link is invalid."""
    seal: str | None = field(repr=False)
    sealed_text: str
    """The text that the seal signs: the raw path, plus `?e=` if the link expires."""

    @property
    def digest(self) -> Digest | None:
        """The digest of the original; None for a reference."""
        return None if self.original.startswith("~") else Digest(self.original)


def parse_target(raw_path: bytes, query: bytes) -> Link:
    """Return the parts of a raw path and query. Raise TargetTooLong or MalformedRequest if they are invalid."""
    if len(raw_path) + len(query) > MAX_TARGET:
        raise TargetTooLong(f"The path and query exceed {MAX_TARGET} bytes.")
    path = _text(raw_path)
    path_match = _PATH.fullmatch(path)
    if path_match is None:
        raise MalformedRequest(_describe_fault(path))
    query_match = _QUERY.fullmatch(_text(query))
    if query_match is None or query.endswith(b"&"):
        raise MalformedRequest(
            "The query may contain e (a Unix time) and s (the seal), in this order, each at most once, and no more."
        )
    expires = query_match["expires"]
    return Link(
        tenant=TenantName(path_match["tenant"]),
        original=path_match["original"],
        recipe=path_match["recipe"],
        expires=None if expires is None else int(expires),
        seal=query_match["seal"],
        sealed_text=path if expires is None else f"{path}?e={expires}",
    )


def _text(raw: bytes) -> str:
    return raw.decode("latin-1")  # one character per byte; other than ASCII does not match the patterns


def _describe_fault(path: str) -> str:
    """Return a message about the first part with an invalid shape; it does not contain the path itself."""
    parts = path.split("/")
    if len(parts) != 5 or parts[:2] != ["", "t"]:  # noqa: PLR2004 - the five parts of the shape
        return f"The path must have the form {_SHAPE}."
    _, _, tenant, original, recipe = parts
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", tenant):
        return "The tenant must be 1 to 31 of a-z, 0-9 and -, starting with a letter or a digit."
    if not re.fullmatch(r"[0-9a-f]{64}|~[A-Za-z0-9_-]{4,1400}", original):
        return "The original must be 64 lower-case hex digits (its SHA-256), or ~ and a base64url source reference."
    if not recipe:
        return "The recipe is empty. Specify at least a format, for example auto."
    return "The recipe may contain only A-Z, a-z, 0-9 and . _ ~ - without percent-encoding."
