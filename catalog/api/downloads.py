"""Downloads: an original as an attachment, read in pieces; its descriptor is closed however the answer ends."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from proxy.ports import OpenOriginal

CHUNK_BYTES: Final = 256 * 1024


class Download(StreamingResponse):
    """The bytes of an original."""

    def __init__(self, original: OpenOriginal, media_type: str, file_name: str, **headers: str) -> None:
        self._original = original
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields |= {
            "content-length": str(original.size_bytes),
            "content-disposition": attachment(file_name),
        }
        super().__init__(_chunks(original), 200, fields, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, and close the original at its end or when the client leaves."""
        with self._original:
            await super().__call__(scope, receive, send)


def attachment(file_name: str) -> str:
    """Return the value of `Content-Disposition` for a name of any characters (RFC 6266 §4.3, RFC 8187)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_. ") else "_" for c in file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"


async def _chunks(original: OpenOriginal) -> AsyncIterator[bytes]:
    offset = 0
    while chunk := await asyncio.to_thread(os.pread, original.fd, CHUNK_BYTES, offset):
        offset += len(chunk)
        yield chunk
