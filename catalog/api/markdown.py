"""The OpenAPI document as a page of Markdown, `docs/api.md`: what to send to each route, and what comes back."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from catalog.api.openapi import is_public, operations_of
from catalog.api.parameter_rows import parameter_rows

_FIRST_ERROR: Final = 400
_INTRODUCTION: Final = """\
<!-- Made by `darkroom openapi --markdown`; do not edit. -->

# The API

{summary} This page is made from the OpenAPI document, which a server has at `/api/openapi.json`.

* Send `Authorization: Bearer TOKEN`; `darkroom token create` makes a token. [security.md](security.md) describes roles.
* Errors are `application/problem+json` (RFC 9457); [answers.md](answers.md) lists their codes.
* Lists take `limit` and `cursor`, and answer `{{"items": […], "next_cursor": "…"}}`. A cursor belongs to its query.
* Changes take `Idempotency-Key`: repeated within 24 hours, a change has its first answer, `Idempotency-Replayed: true`.
* Fields and parameters that do not exist, and parameters that are sent twice, are refused with 422.
"""


def render(document: Mapping[str, Any]) -> str:
    """Return the page."""
    sections: dict[str, list[str]] = {}
    for method, path, operation in operations_of(document):
        sections.setdefault(operation["tags"][0], []).append(_operation(method, path, operation, document))
    parts = [_INTRODUCTION.format(summary=document["info"]["summary"]), _errors(document)]
    for tag in sorted(sections):
        parts += [f"## {tag.capitalize()}\n", *sections[tag]]
    return "\n".join(parts).rstrip() + "\n"


def _errors(document: Mapping[str, Any]) -> str:
    answers = document["components"]["responses"]
    rows = [
        f"| {name.removeprefix('Problem')} | {answer['description']} |"
        for name, answer in answers.items()
        if name.startswith("Problem")
    ]
    return "\n".join(["| status | meaning |", "|---|---|", *rows, ""])


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    lines = [f"### {method.upper()} {path}", "", operation["summary"] + ".", ""]
    if description := operation.get("description"):
        lines += [" ".join(description.split()), ""]
    lines += [_access(operation), "", *_parameters(operation, document), *_answers(operation)]
    lines += ["```sh", *_curl(method, path, operation), "```", ""]
    lines += [line for status, media in _examples(operation) for line in _example(status, media)]
    return "\n".join(lines)


def _access(operation: Mapping[str, Any]) -> str:
    if is_public(operation):
        return "No token is needed."
    return f"Least role: `{operation['x-role']}`; scope: `{operation['x-scope']}`."


def _parameters(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table of the parameters and the fields of the body."""
    rows = [
        f"| `{row.name}` | {row.place} | {row.type} | {row.meaning} |".replace("|  |", "| |")
        for row in parameter_rows(operation, document)
    ]
    if rows:
        yield from ("| parameter | in | type | meaning |", "|---|---|---|---|", *rows, "")


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    statuses = sorted(operation["responses"], key=int)
    good = [
        f"{status} {operation['responses'][status]['description']}".replace(" Successful Response", "").strip()
        for status in statuses
        if int(status) < _FIRST_ERROR
    ]
    bad = [status for status in statuses if int(status) >= _FIRST_ERROR]
    yield from (f"Answers: {'; '.join(line.rstrip('.') for line in good)}. Errors: {', '.join(bad)}.", "")


def _curl(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a command that sends the example."""
    target = path.replace("{", "$").replace("}", "")
    verb = {"get": "curl", "head": "curl --head"}.get(method, f"curl -X {method.upper()}")
    words = [f'{verb} "$DARKROOM{target}"']
    if not is_public(operation):
        words.append('-H "Authorization: Bearer $TOKEN"')
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        example = media.get("example")
        if media_type.startswith("multipart/"):
            words += [f"-F {_shell(field)}" for field in _form(example)]
        elif example is not None:
            words += [f"-H 'Content-Type: {media_type}'", f"-d {_shell(json.dumps(example, ensure_ascii=False))}"]
        else:
            words += [f"-H 'Content-Type: {media_type}'", "--data-binary @chair.jpg"]
        break
    for word in words[:-1]:
        yield f"{'' if word is words[0] else '  '}{word} \\"
    yield f"{'  ' if len(words) > 1 else ''}{words[-1]}"


def _form(example: Mapping[str, Any]) -> Iterator[str]:
    for name, value in example.items():
        for part in value if isinstance(value, list) else [value]:
            yield f"{name}=@chair.jpg" if part == "(bytes)" else f"{name}={part}"


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _examples(operation: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for status, answer in operation["responses"].items():
        media = answer.get("content", {}).get("application/json", {})
        if media.get("example"):
            yield status, media["example"]
            return


def _example(status: str, example: object) -> Iterator[str]:
    text = json.dumps(example, ensure_ascii=False, indent=2)
    yield from (f"{status}:", "", "```json", text, "```", "")
