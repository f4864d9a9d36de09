"""The API's description: valid, made from the code, and true of what the server does."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.operations import FakeOperations, served
from kahnd.api import openapi, schemas
from kahnd.api.control_socket import USUAL
from kahnd.api.routes import EVENTS, ROUTES, STATUSES, Form, Route, fields_of
from kahnd.core.model import Problem
from kahnd.errors import StoreError, UsageError
from kahnd.telemetry.event_buffer import KEPT

CHECKED_IN = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
Json = dict[str, Any]
AnyRoute = Route[Any, Any]


def test_it_is_a_valid_openapi_document() -> None:
    OpenAPIV31SpecValidator(openapi.document()).validate()


def test_the_one_that_is_checked_in_is_what_the_code_makes() -> None:
    assert CHECKED_IN.read_text() == openapi.text(), "make openapi writes it anew"


async def test_the_one_that_is_served_is_the_same(tmp_path: Path) -> None:
    async with served(tmp_path, FakeOperations()) as client, client.get("/v1/openapi.json") as response:
        assert response.content_type == "application/json"
        assert await response.json() == openapi.document()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_each_call_is_described_and_its_example_is_an_answer(route: AnyRoute) -> None:
    told = openapi.document()["paths"][route.path][route.method.lower()]
    assert told["summary"] == route.summary
    assert told["description"].startswith(route.details)
    assert told["operationId"] == route.name
    answer = msgspec.convert(route.example, route.answer)
    assert route.example.keys() >= json.loads(msgspec.json.encode(answer)).keys() - fields_with_defaults(route)


def fields_with_defaults(route: AnyRoute) -> set[str]:
    return {each.encode_name for each in msgspec.structs.fields(route.answer) if not each.required}


def test_no_two_calls_are_the_same_and_all_are_under_a_version() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert all(route.path.startswith("/v1/") for route in ROUTES)


def test_the_descriptions_state_the_real_bounds() -> None:
    assert f"the newest {KEPT:,}" in EVENTS.details
    assert f"every {USUAL.heartbeat_s:g} seconds" in EVENTS.details.replace("\n", " ")
    assert f"nothing for {USUAL.stuck_s:g} seconds is" in EVENTS.details
    assert f"more than {USUAL.body_bytes >> 20} MiB" in STATUSES[413]


# Whatever is asked, the answer is one of those described

words = st.text(string.ascii_letters + "./*é\udcff\0 %&=+", max_size=12)
values = st.one_of(
    words, st.integers().map(str), st.sampled_from(["", "1", "true", "error", "null", "1e999", "docs/a.md"])
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
errors = st.sampled_from([None, UsageError(Problem("no", "a.md", 3)), StoreError(Problem("away"))])


@st.composite
def calls(draw: st.DrawFn) -> tuple[AnyRoute, Json, bytes]:
    """A call with keys that it has, and others, of all sorts of values; its body too, which may be no JSON."""
    route = draw(st.sampled_from([route for route in ROUTES if route.form is not Form.EVENTS]))
    keys = st.sampled_from([*fields_of(route.request), "other"])
    query = (
        draw(st.dictionaries(keys, st.lists(values, min_size=1, max_size=2), max_size=3))
        if route.method == "GET"
        else {}
    )
    body = draw(st.dictionaries(keys, json_values, max_size=3)) if route.method == "POST" else {}
    raw = draw(st.one_of(st.just(json.dumps(body).encode()), st.binary(max_size=10))) if route.method == "POST" else b""
    return route, query, raw


@pytest.mark.slow
@given(call=calls(), error=errors)
@settings(max_examples=200, deadline=None)
def test_whatever_is_asked_is_answered_as_it_is_described(
    tmp_path_factory: pytest.TempPathFactory, call: tuple[AnyRoute, Json, bytes], error: UsageError | None
) -> None:
    root = tmp_path_factory.getbasetemp() / "fuzz"
    root.mkdir(exist_ok=True)
    anyio.run(_asked, root, call, error)


async def _asked(root: Path, call: tuple[AnyRoute, Json, bytes], error: UsageError | None) -> None:
    route, query, body = call
    operations = FakeOperations()
    operations.error = error
    pairs = [(name, each.encode("utf-8", "replace").decode()) for name, given in query.items() for each in given]
    async with (
        served(root, operations) as client,
        client.request(route.method, route.path, params=pairs, data=body or None) as response,
    ):
        content = await response.read()
    described = openapi.document()["paths"][route.path][route.method.lower()]["responses"]
    assert str(response.status) in described
    if response.status != 200:
        assert msgspec.json.decode(content, type=schemas.Error).error.message
    elif route.form is Form.WHOLE:
        msgspec.json.decode(content, type=route.answer)
    else:
        last = content.splitlines()[-1]
        msgspec.json.decode(last, type=schemas.ReportLine if last.startswith(b'{"report":') else schemas.Error)
