"""Origins of web pages (RFC 6454 §6.2): scheme, host and port, as browsers write them in the `Origin` field."""

import re
from typing import Final

LONGEST_ORIGIN: Final = 255
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LARGEST_PORT: Final = 65_535


def web_origin(text: str) -> str:
    """Return an origin in the one spelling that browsers send. Raise ValueError for any other text.

    So `*`, `null`, paths, capitals, default ports and hosts that are not ASCII are refused.
    """
    match = _ORIGIN.fullmatch(text) if len(text) <= LONGEST_ORIGIN else None
    if match is None:
        raise ValueError(
            "An origin is https://host or https://host:port, in lower case, without a path, and no pattern; "
            "an international host is written as xn--…."
        )
    port = int(match["port"] or 0)
    if port > _LARGEST_PORT or port == _DEFAULT_PORTS[match["scheme"]]:
        raise ValueError("The port of an origin is at most 65535, and left out where it is 80 (http) or 443 (https).")
    return text
