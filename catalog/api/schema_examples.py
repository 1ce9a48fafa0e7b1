"""Examples of JSON Schemas: a model's own example where it has one, else one put together from its parts."""

from collections.abc import Mapping
from typing import Any, Final

_MAX_DEPTH = 8
_VALUES: Final[Mapping[str, object]] = {
    "string": "text",
    "integer": 1,
    "number": 0.5,
    "boolean": True,
    "null": None,
    "object": {},
}


def example_of(  # noqa: PLR0911 - one for each kind of schema
    schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = _MAX_DEPTH
) -> object:
    """Return an example of a schema, whose references point into `schemas`."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if depth == 0:
        return None
    if schema.get("examples"):
        return schema["examples"][0]
    for name in ("default", "const"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas, depth - 1)
    if "properties" in schema:
        return {name: example_of(part, schemas, depth - 1) for name, part in schema["properties"].items()}
    if "items" in schema:
        return [example_of(schema["items"], schemas, depth - 1)]
    return _VALUES.get(schema.get("type", ""))


def with_nulls(example: object, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> object:
    """Return an example with the nulls that its schema requires: FastAPI drops every null of its document.

    The members are in the order of the schema.
    """
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema and example is not None:
        schema = next((part for part in schema["anyOf"] if part.get("type") != "null"), {})
        return with_nulls(example, schema, schemas)
    if isinstance(example, list):
        return [with_nulls(item, schema.get("items", {}), schemas) for item in example]
    if not isinstance(example, dict):
        return example
    parts, required = schema.get("properties", {}), schema.get("required", ())
    values = {name: None for name in required if name not in example} | example
    names = [*(name for name in parts if name in values), *(name for name in values if name not in parts)]
    return {name: with_nulls(values[name], parts.get(name, {}), schemas) for name in names}
