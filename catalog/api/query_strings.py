"""Checks of query strings that hold for every route: nothing unknown, nothing twice, nothing that cannot be stored."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from starlette.datastructures import QueryParams

from catalog.api.fields import check_text
from catalog.core.api_errors import FieldError, InvalidRequest, ValidationFailed

MAX_PARAMETERS = 100
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class QueryShape:
    """The query parameters of an operation; `repeatable` are those that may be sent more than once."""

    names: frozenset[str]
    repeatable: frozenset[str]

    @classmethod
    def of(cls, operation: Mapping[str, Any], components: Mapping[str, Any]) -> Self:
        """Return the shape that an operation of an OpenAPI document has."""
        parameters = [_resolved(parameter, components) for parameter in operation.get("parameters", ())]
        schemas = {
            parameter["name"]: parameter.get("schema", {}) for parameter in parameters if parameter["in"] == "query"
        }
        return cls(frozenset(schemas), frozenset(name for name, schema in schemas.items() if _is_array(schema)))

    def check(self, query: QueryParams) -> None:
        """Raise InvalidRequest or ValidationFailed for a query that the operation cannot have."""
        items = query.multi_items()
        if len(items) > MAX_PARAMETERS:
            raise InvalidRequest(f"The query has more than {MAX_PARAMETERS} parameters: send fewer.")
        counts = Counter(name for name, _ in items)
        errors = [_unstorable(name) for name, value in items if not (_is_storable(name) and _is_storable(value))]
        errors += [_unknown(name) for name in counts if name not in self.names]
        errors += [
            _repeated(name) for name, count in counts.items() if count > 1 and name in self.names - self.repeatable
        ]
        if errors:
            raise ValidationFailed(errors)


def _resolved(parameter: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in parameter:
        return parameter
    found: Mapping[str, Any] = components["parameters"][parameter["$ref"].rpartition("/")[2]]
    return found


def _is_array(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" or any(_is_array(part) for part in schema.get("anyOf", ()))


def _is_storable(text: str) -> bool:
    try:
        check_text(text)
    except ValueError:
        return False
    return True


def _unstorable(name: str) -> FieldError:
    return FieldError(f"?{_printable(name)}", "characters", "Control characters are not allowed: remove them.")


def _unknown(name: str) -> FieldError:
    return FieldError(f"?{_printable(name)}", "unknown-field", "This parameter does not exist.")


def _repeated(name: str) -> FieldError:
    return FieldError(f"?{_printable(name)}", "repeated", "Send this parameter once.")


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name[:_SHOWN])
