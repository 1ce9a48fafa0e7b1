"""Answers of routes that run a change."""

from fastapi.responses import Response
from pydantic import BaseModel

MEDIA_TYPE = "application/json"


def json_answer(body: BaseModel, status: int = 200, **headers: str) -> Response:
    """Return an answer with a body; keywords are header fields, `_` for `-`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body.model_dump_json(), status, fields, MEDIA_TYPE)


def created(location: str, body: BaseModel, **headers: str) -> Response:
    """Return 201 with the place of what was created."""
    return json_answer(body, 201, location=location, **headers)


def no_content() -> Response:
    """Return 204."""
    return Response(status_code=204)
