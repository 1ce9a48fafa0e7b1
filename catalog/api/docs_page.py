"""The page of documentation: one HTML file rendered from the OpenAPI document, without scripts or foreign hosts."""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from typing import Any, Final

from catalog.api.openapi import operations_of
from catalog.api.parameter_rows import ParameterRow, parameter_rows

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "summary{cursor:pointer;padding:.3rem 0}h2{margin-top:2rem;text-transform:capitalize}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}"
    "pre{overflow-x:auto;padding:.75rem;border:1px solid #8886;border-radius:.4rem}"
    "table{border-collapse:collapse;width:100%;font-size:.9em}th{text-align:left}"
    "td,th{border-top:1px solid #8886;padding:.25rem .5rem;vertical-align:top}"
    "summary b{display:inline-block;min-width:4.5rem}summary code{display:inline-block;min-width:24rem;max-width:100%}"
    "details{border-top:1px solid #8886}details[open]{padding-bottom:1rem}summary:hover{background:#8882}"
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;padding:0;list-style:none}nav a{text-transform:capitalize}"
)
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEAD: Final = "<tr><th>parameter</th><th>in</th><th>type</th><th>meaning</th></tr>"


def render(document: Mapping[str, Any]) -> str:
    """Return the page as HTML."""
    sections: dict[str, list[str]] = {}
    for method, path, operation in operations_of(document):
        sections.setdefault(operation["tags"][0], []).append(_operation(method, path, operation, document))
    info = document["info"]
    contents = "".join(f'<li><a href="#{escape(tag)}">{escape(tag)}</a></li>' for tag in sorted(sections))
    parts = "".join(
        f'<section id="{escape(tag)}"><h2>{escape(tag)}</h2>{"".join(sections[tag])}</section>'
        for tag in sorted(sections)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(info['title'])} API</h1><p>{escape(info['summary'])}</p>"
        "<p>Send <code>Authorization: Bearer TOKEN</code>. Errors are <code>application/problem+json</code> (RFC 9457)."
        ' The machine-readable description is <a href="/api/openapi.json">/api/openapi.json</a>.</p>'
        f'<nav aria-label="Contents"><ul>{contents}</ul></nav>{parts}</main></body></html>'
    )


def _operation(method: str, path: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    role = operation.get("x-role")
    access = "No token is needed." if role is None else f"Least role: {role}; scope: {operation['x-scope']}."
    rows = "".join(_row(row) for row in parameter_rows(operation, document))
    table = f"<table>{_HEAD}{rows}</table>" if rows else ""
    return (
        f"<details><summary><b>{escape(method.upper())}</b> <code>{escape(path)}</code> "
        f"{escape(operation['summary'])}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p><p>{escape(access)}</p>{table}"
        f"{_example('Request', operation.get('requestBody', {}))}{_answers(operation['responses'])}</details>"
    )


def _row(row: ParameterRow) -> str:
    cells = (
        f"<code>{escape(row.name)}</code>",
        escape(row.place),
        escape(row.type).replace("`", ""),
        escape(row.meaning),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _answers(responses: Mapping[str, Any]) -> str:
    errors = [status for status, response in responses.items() if "$ref" in response]
    return f"<p>Errors: {escape(', '.join(sorted(errors)))}</p>" * bool(errors) + "".join(
        _example(f"Answer {status}", response) or f"<p>Answer {escape(status)}: {escape(response['description'])}</p>"
        for status, response in responses.items()
        if "$ref" not in response
    )


def _example(title: str, message: Mapping[str, Any]) -> str:
    """Return the JSON example of a request or an answer, or nothing if it has none."""
    media = message.get("content", {}).get("application/json", {})
    if "example" not in media:
        return ""
    text = json.dumps(media["example"], ensure_ascii=False, indent=2)
    return f"<p>{escape(title)}</p><pre>{escape(text)}</pre>"
