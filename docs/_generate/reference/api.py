"""The control API reference, from its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reference.words import sentence, table

Json = Mapping[str, Any]

_HEAD: Final = """\
---
title: The control API
section: Reference
order: 46
about: every call of the daemon's socket, and the shape of its answers
---
# The control API

<!-- This page is generated from openapi.json: `make reference` writes it. -->

[openapi.json](openapi.json) describes the API for programs.
"""


def page(described: Json) -> str:
    """Returns the whole page."""
    schemas = described.get("components", {}).get("schemas", {})
    parts = [_HEAD, f"{described['info'].get('description', '')}\n", "## Calls\n"]
    for path, calls in described["paths"].items():
        for method, call in calls.items():
            parts += _call(method.upper(), path, call)
    parts.append("## Shapes\n")
    for name, schema in schemas.items():
        parts += _schema(name, schema)
    return "\n".join(parts).rstrip() + "\n"


def _call(method: str, path: str, call: Json) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    yield f"{call.get('summary', '').rstrip('.')}.\n"
    if told := call.get("description"):
        yield f"{told}\n"
    if parameters := call.get("parameters"):
        rows = ((f"`{each['name']}`", each["in"], *_of_parameter(each)) for each in parameters)
        yield table(("parameter", "in", "type", ""), rows)
    for kind, content in call.get("requestBody", {}).get("content", {}).items():
        yield f"The request's body, `{kind}`: {type_of(content['schema'])}.\n"
    yield from _answers(call.get("responses", {}))


def _of_parameter(given: Json) -> tuple[str, str]:
    told = given.get("description") or given["schema"].get("description", "")
    return type_of(given["schema"]), told or ("required" if given.get("required") else "")


def _answers(responses: Json) -> Iterator[str]:
    for kind, content in responses.get("200", {}).get("content", {}).items():
        yield f"The answer, `{kind}`: {type_of(content['schema'])}.\n"
        if "example" in content:
            yield f"{_example(content['example'])}\n"
    others = [code for code in responses if code != "200"]
    if others:
        yield f"Other answers: {', '.join(f'`{each}`' for each in others)}.\n"


def _example(given: Any) -> str:
    if isinstance(given, str):
        return f"```text\n{given.strip()}\n```"
    return f"```json\n{json.dumps(given, indent=2, ensure_ascii=False)}\n```"


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f"### {name}\n"
    if told := schema.get("description"):
        yield f"{told}\n"
    if properties := schema.get("properties"):
        required = schema.get("required", ())
        about = {key: _about(each, optional=key not in required) for key, each in properties.items()}
        yield table(("key", "type", ""), [(f"`{key}`", type_of(each), about[key]) for key, each in properties.items()])
    else:
        yield f"{sentence(type_of(schema))}.\n"


def _about(schema: Json, *, optional: bool) -> str:
    told = [schema.get("description", "").rstrip(".")]
    if "default" in schema:
        told.append(f"default `{json.dumps(schema['default'])}`")
    elif optional:
        told.append("may be absent")
    return "; ".join(filter(None, told))


def type_of(schema: Json) -> str:
    """Describes a schema in a few words, with links to named ones."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(map(type_of, schema[several])))
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    return _of_type(schema)


_PLAIN: Final = {"string": "text", "integer": "whole number", None: "anything"}


def _of_type(schema: Json) -> str:
    kind, of_values = schema.get("type"), schema.get("additionalProperties")
    if kind == "array" and "items" in schema:
        return f"list of {type_of(schema['items'])}"
    if kind == "object" and isinstance(of_values, dict):
        return f"object of {type_of(of_values)}"
    if isinstance(kind, list):
        return " or ".join(kind)
    return _PLAIN.get(kind, str(kind))
