"""The upper limit: the same uvicorn, with the same settings, and an application that only answers.

    python -m benchmarks.trivial PORT FILE

It sends the headers of a hit and the bytes of the file. The rest of a hit's time in `darkroom serve` is Darkroom's own.
"""

import sys
from pathlib import Path

import uvicorn
from starlette.types import Receive, Scope, Send

from proxy.http.problem import SAFE_HEADERS


def main() -> None:
    """Serve the file under every path."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    body = file.read_bytes()
    headers = [
        (b"content-type", b"image/webp"),
        (b"content-length", str(len(body)).encode()),
        (b"etag", b'"' + b"0" * 32 + b'"'),
        (b"cache-control", b"public, max-age=31536000, immutable"),
        (b"x-amz-meta-cache-tag", b"a-bench-" + b"0" * 64 + b", t-bench"),
        *SAFE_HEADERS,
        (b"server-timing", b'tier;desc="memory"'),
        (b"x-request-id", b"0" * 16),
    ]

    async def answer(scope: Scope, _: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    uvicorn.run(
        answer,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=2_048,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
