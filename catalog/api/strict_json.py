"""JSON bodies, read strictly before any route sees them (RFC 8259, RFC 7493).

Python's parser takes more than JSON and keeps the last of two equal keys; two readers of one body could then disagree.
Refused here, for every route: other encodings than UTF-8, a byte order mark, NaN and infinities, keys given
twice, deep nesting, numbers out of range, and text that no database can store (NUL, lone surrogates).
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catalog.api.body import MAX_JSON_BYTES
from catalog.api.media_types import is_json
from catalog.api.problems import MAX_FIELD_ERRORS, MAX_POINTER_LENGTH, problem, request_id_of
from catalog.core.api_errors import FieldError, InvalidRequest, UploadTooLarge, ValidationFailed
from proxy.core.errors import DarkroomError

MAX_DEPTH: Final = 64
LARGEST_NUMBER: Final = 1e300
_TEXT: Final = ("characters", "NUL and lone surrogates are not allowed: remove them.")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class StrictJson:
    """Middleware: hands bodies that are declared as JSON on if they are, or refuses.

    `takes_json` tells whether what answers a method and a path reads JSON: no other body is asked for.
    """

    def __init__(self, app: ASGIApp, takes_json: Callable[[str, str], bool]) -> None:
        self._app = app
        self._takes_json = takes_json

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application with the body in one piece."""
        if scope["type"] != "http" or scope["method"] not in _METHODS:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        declared = is_json(request.headers.get("content-type", ""))
        if not declared or not self._takes_json(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            messages = await _read(receive)
            check_json(b"".join(message.get("body", b"") for message in messages))
        except DarkroomError as error:
            await problem(error, request_id_of(request))(scope, receive, send)
            return

        async def receive_again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, receive_again, send)


async def _read(receive: Receive) -> list[Message]:
    """Return the messages of a body. Raise UploadTooLarge if it is too large for JSON, InvalidRequest if it is cut."""
    messages: list[Message] = []
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise InvalidRequest("The body ends early: send all of it.")
        messages.append(message)
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
        if length > MAX_JSON_BYTES:
            raise UploadTooLarge(f"The body is over {MAX_JSON_BYTES} bytes: send less.")
    return messages


def check_json(body: bytes) -> None:
    """Raise InvalidRequest if a body is not strictly JSON, ValidationFailed if it has text that cannot be stored."""
    if not body.strip():
        return
    try:
        document = parse_strictly(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        detail = str(error) if isinstance(error, _NotStrict) else "check its syntax and encoding."
        raise InvalidRequest(f"The body is not JSON: {detail}") from None
    errors = [FieldError(at, code, detail) for at, code, detail in _faults(document)]
    if errors:
        raise ValidationFailed(errors[:MAX_FIELD_ERRORS])


def parse_strictly(text: str) -> object:
    """Return the document. Raise ValueError or RecursionError if it is not JSON, or has a key twice."""
    document: object = json.loads(text, object_pairs_hook=_object, parse_constant=_reject_constant)
    return document


class _NotStrict(ValueError):
    """A sentence for the client."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotStrict("a key is given more than once.")
    return found


def _reject_constant(_name: str) -> NoReturn:
    raise _NotStrict("NaN and infinities are not numbers.")


def _faults(document: object) -> Iterator[tuple[str, str, str]]:
    """Yield pointer, code and sentence of values that are refused. Raise InvalidRequest beyond MAX_DEPTH."""
    pending: list[tuple[str, int, object]] = [("", 0, document)]
    while pending:
        at, depth, value = pending.pop()
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"The body is nested more than {MAX_DEPTH} deep: flatten it.")
        if isinstance(value, dict):
            pending += [(_pointer(at, key), depth + 1, part) for key, part in value.items()]
            yield from ((_pointer(at, key), *_TEXT) for key in value if not _is_storable(key))
        elif isinstance(value, list):
            pending += [(f"{at}/{number}"[:MAX_POINTER_LENGTH], depth + 1, part) for number, part in enumerate(value)]
        elif isinstance(value, str) and not _is_storable(value):
            yield at, *_TEXT
        elif isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
            yield at, "out-of-range", "The number is out of range."


def _pointer(at: str, part: str) -> str:
    printable = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in part)
    return f"{at}/{printable.replace('~', '~0').replace('/', '~1')}"[:MAX_POINTER_LENGTH]


def _is_storable(text: str) -> bool:
    return "\0" not in text and not _SURROGATE.search(text)
