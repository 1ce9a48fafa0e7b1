"""Rows of the tables that describe an operation: its parameters and the fields of its body."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class ParameterRow(NamedTuple):
    """A parameter or a field."""

    name: str
    place: str
    """`path`, `query`, `header`, `body` or `form`."""
    type: str
    meaning: str


def parameter_rows(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[ParameterRow]:
    """Yield the parameters of an operation, then the fields of its body."""
    for reference in operation.get("parameters", ()):
        row = _resolved(reference, document)
        told = {**row.get("schema", {}), "description": row.get("description", "")}
        yield _row(row["name"], row["in"], told, required=row.get("required", False))
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        schema = _resolved(media.get("schema", {}), document)
        place = "form" if media_type.startswith("multipart/") else "body"
        for name, field in schema.get("properties", {}).items():
            described = {**_resolved(field, document), **field}
            yield _row(name, place, described, required=name in schema.get("required", ()))


def _row(name: str, place: str, schema: Mapping[str, Any], *, required: bool) -> ParameterRow:
    kind = f"{_type(schema)}, required" if required else _type(schema)
    return ParameterRow(name, place, kind, " ".join(str(schema.get("description", "")).split()))


def _type(schema: Mapping[str, Any]) -> str:
    """Return a short name of a schema's type, with its values or bounds."""
    if "anyOf" in schema:
        parts = [part for part in schema["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(map(_type, parts)))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema or "contentMediaType" in schema:
        return str(schema["$ref"].rpartition("/")[2]) if "$ref" in schema else "file"
    name = str(schema.get("format") or schema.get("title" if "properties" in schema else "type", "any"))
    if "maximum" in schema:
        return f"{name}, {schema.get('minimum', '…')} to {schema['maximum']}"
    return f"{name}, at most {schema['maxLength']}" if "maxLength" in schema else name


def _resolved(part: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in part:
        return part
    kind, name = part["$ref"].split("/")[-2:]
    found: Mapping[str, Any] = document["components"][kind][name]
    return found
