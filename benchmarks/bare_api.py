"""The bare limit of a read over the API: FastAPI on the same uvicorn, one asyncpg SELECT, the row as JSON.

    python -m benchmarks.bare_api PORT DATABASE_URL

It knows no token, no tenant's rights, no limit of requests, no link and no signature.
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvicorn
from fastapi import FastAPI, Response


def create(url: str) -> FastAPI:
    """Return the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(url.replace("+asyncpg", ""), min_size=5, max_size=10) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/api/images/{identifier}")
    async def read(identifier: str) -> Response:
        async with app.state.pool.acquire() as connection:
            row = await connection.fetchrow("SELECT * FROM image WHERE id = $1", identifier)
        document: dict[str, Any] = dict(row)
        return Response(json.dumps(document, default=str), media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        create(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
    )
