"""The OpenAPI document, made from the route table; `python -m kahnd.service.api.openapi` prints it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kahnd.service.api import shapes
from kahnd.service.api.routes import ROUTES, STATUSES, Form, Json, Route, fields_of

VERSION: Final = "3.1.0"
API_VERSION: Final = "1"
ABOUT: Final = """\
HTTP/1.1 over the daemon's Unix socket: `.kahnd/control.sock` in the project, or, where that path is too long for one, \
in the user's runtime directory. Only the user who runs the daemon, and root, may ask.

    curl --unix-socket .kahnd/control.sock http://localhost/v1/status

What is under `/v1` stays: keys may be added to answers, and calls to the table. Every error has the same shape; \
an unknown path is 404, another method than the one that is described 405. Each answer's header `Kahnd-Version` has \
the daemon's version; `Kahnd-Project` has device and inode of the project's folder, in hexadecimal, by which the \
command line knows that a daemon is this project's."""
_REF: Final = "#/components/schemas/{name}"
_OF_BODY: Final = frozenset({408, 413})
"""What only a request with a body can come to."""
_OF_OTHERS: Final = frozenset({404, 405})
"""What no call that is described comes to."""


def document() -> Json:
    """The whole of it, as JSON's own values."""
    whole: Json = json.loads(text())
    return whole


def text() -> str:
    """As it is checked in."""
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
            "summary": "Ask a running daemon, and have it do things.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "http://localhost", "description": "Over the Unix socket; no other Host is answered."}],
        "paths": paths,
        "components": {"schemas": _schemas(), "responses": {str(each): _error(each) for each in STATUSES}},
    }


def _operation(route: Route[Any, Any]) -> Json:
    left_out = _OF_OTHERS if route.method == "POST" else _OF_OTHERS | _OF_BODY
    told: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "description": _details(route),
        "responses": {"200": _answer(route)}
        | {str(each): {"$ref": f"#/components/responses/{each}"} for each in STATUSES if each not in left_out},
    }
    if route.method == "POST":
        told["requestBody"] = {"content": {"application/json": {"schema": _reference(route.request)}}}
    elif parameters := list(_parameters(route)):
        told["parameters"] = parameters
    return told


def _details(route: Route[Any, Any]) -> str:
    return f"{route.details} The command line's `kahnd {route.command}`." if route.command else route.details


def _parameters(route: Route[Any, Any]) -> Iterator[Json]:
    (_reference_to,), components = msgspec.json.schema_components([route.request], ref_template=_REF)
    schema = components[route.request.__name__]
    for name, is_list in fields_of(route.request).items():
        told = {"name": name, "in": "query", "schema": schema["properties"][name]}
        if name in schema.get("required", ()):
            told["required"] = True
        yield told | ({"explode": True} if is_list else {})
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
        lines = (shapes.ProgressLine, shapes.ReportLine, shapes.Error)
        schema = {"description": "Of each line.", "oneOf": [_reference(each) for each in lines]}
        content = {"schema": schema, "example": {"report": route.example}}
    else:
        told = (
            f"Of each event's data: {_reference(route.answer)['$ref']}; of a gap's: {_reference(shapes.Gap)['$ref']}."
        )
        example = f"id: 5f2c9a01-1234\nevent: {route.example['event']}\ndata: {json.dumps(route.example)}\n\n"
        content = {"schema": {"type": "string", "description": told}, "example": example}
    return {"description": route.summary, "content": {route.form.value: content}}


def _error(status: int) -> Json:
    return {"description": STATUSES[status], "content": {"application/json": {"schema": _reference(shapes.Error)}}}


def _reference(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": _REF.format(name=kind.__name__)}


def _schemas() -> Json:
    """Of everything that is referred to; a query's keys stand with its call."""
    bodies = [route.request for route in ROUTES if route.method == "POST"]
    answers = [route.answer for route in ROUTES]
    kinds = [*bodies, *answers, shapes.ProgressLine, shapes.ReportLine, shapes.Gap, shapes.Error]
    _, components = msgspec.json.schema_components(dict.fromkeys(kinds), ref_template=_REF)
    return dict(sorted(components.items()))


if __name__ == "__main__":
    sys.stdout.write(text())
