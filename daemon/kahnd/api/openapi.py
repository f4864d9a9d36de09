"""The OpenAPI document, made from the route table; `python -m kahnd.api.openapi` prints it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kahnd.api import schemas
from kahnd.api.routes import ROUTES, STATUSES, Form, Gap, Json, Route, fields_of

VERSION: Final = "3.1.0"
API_VERSION: Final = "1"
ABOUT: Final = """\
HTTP/1.1 over the daemon's Unix socket: `.kahnd/control.sock` in the project or, if that path is too long for a \
socket, one in the user's runtime directory. Only the user who runs the daemon, and root, may connect.

    curl --unix-socket .kahnd/control.sock http://localhost/v1/status

The calls under `/v1` are stable: keys may be added to answers, and calls to the table. Every error has the same \
shape; an unknown path gives 404, and a method that is not described gives 405. Each answer has the daemon's version \
in the header `Kahnd-Version`, and in `Kahnd-Project` the device and inode of the project's folder, in hexadecimal, \
by which the command line recognises the project's daemon."""
_REF: Final = "#/components/schemas/{name}"
_OF_BODY: Final = frozenset({408, 413})
"""Statuses that only a request with a body can get."""
_OF_OTHERS: Final = frozenset({404, 405})
"""Statuses that no described call gets."""


def document() -> Json:
    """Returns the document as JSON's own values."""
    whole: Json = json.loads(text())
    return whole


def text() -> str:
    """Returns the document's text, as it is checked in."""
    return f"{json.dumps(_document(), indent=2, ensure_ascii=False)}\n"


def _document() -> Json:
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": VERSION,
        "info": {
            "title": "kahnd's control API",
            "version": API_VERSION,
            "summary": "Questions and commands to a running daemon.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {"url": "http://localhost", "description": "Over the Unix socket. Requests with another Host are refused."}
        ],
        "paths": paths,
        "components": {"schemas": _schemas(), "responses": {str(each): _error(each) for each in STATUSES}},
    }


def _operation(route: Route[Any, Any]) -> Json:
    left_out = _OF_OTHERS if route.method == "POST" else _OF_OTHERS | _OF_BODY
    operation: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "description": _details(route),
        "responses": {"200": _answer(route)}
        | {str(each): {"$ref": f"#/components/responses/{each}"} for each in STATUSES if each not in left_out},
    }
    if route.method == "POST":
        operation["requestBody"] = {"content": {"application/json": {"schema": _reference(route.request)}}}
    elif parameters := list(_parameters(route)):
        operation["parameters"] = parameters
    return operation


def _details(route: Route[Any, Any]) -> str:
    return f"{route.details} On the command line: `kahnd {route.command}`." if route.command else route.details


def _parameters(route: Route[Any, Any]) -> Iterator[Json]:
    (_reference_to,), components = msgspec.json.schema_components([route.request], ref_template=_REF)
    schema = components[route.request.__name__]
    for name, is_list in fields_of(route.request).items():
        parameter = {"name": name, "in": "query", "schema": schema["properties"][name]}
        if name in schema.get("required", ()):
            parameter["required"] = True
        yield parameter | ({"explode": True} if is_list else {})
    if route.form is Form.EVENTS:
        yield {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id of the last event that was read.",
            "schema": {"type": "string"},
            "example": "5f2c9a01-1234",
        }


def _answer(route: Route[Any, Any]) -> Json:
    if route.form is Form.WHOLE:
        content: Json = {"schema": _reference(route.answer), "example": route.example}
    elif route.form is Form.LINES:
        lines = (schemas.ProgressLine, schemas.ReportLine, schemas.Error)
        schema = {"description": "The schema of each line.", "oneOf": [_reference(each) for each in lines]}
        content = {"schema": schema, "example": {"report": route.example}}
    else:
        event, gap = _reference(route.answer)["$ref"], _reference(Gap)["$ref"]
        description = f"An event's data is a {event}, that of a gap a {gap}."
        example = f"id: 5f2c9a01-1234\nevent: {route.example['event']}\ndata: {json.dumps(route.example)}\n\n"
        content = {"schema": {"type": "string", "description": description}, "example": example}
    return {"description": route.summary, "content": {route.form.value: content}}


def _error(status: int) -> Json:
    return {"description": STATUSES[status], "content": {"application/json": {"schema": _reference(schemas.Error)}}}


def _reference(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": _REF.format(name=kind.__name__)}


def _schemas() -> Json:
    """Returns the schemas of everything that is referred to; the keys of a query are described with its call."""
    bodies = [route.request for route in ROUTES if route.method == "POST"]
    answers = [route.answer for route in ROUTES]
    kinds = [*bodies, *answers, schemas.ProgressLine, schemas.ReportLine, Gap, schemas.Error]
    _, components = msgspec.json.schema_components(dict.fromkeys(kinds), ref_template=_REF)
    return dict(sorted(components.items()))


if __name__ == "__main__":
    sys.stdout.write(text())
