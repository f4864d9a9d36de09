"""The reference says what the code does, and the table of decisions what the records say."""

from __future__ import annotations

import json
import logging
from functools import cache
from pathlib import Path

import click
import msgspec
import pytest

from docs.reading import REPOSITORY
from e2e.harness import Project
from e2e.rules import FIRST_LINES, PAGES, TEXTS
from kahnd import errors
from kahnd.cli.main import INTERRUPTED, kahnd
from kahnd.config.tables import TABLES
from kahnd.core.events import LOG_LEVELS, LogEvent
from kahnd.core.rules import OUTPUT_PLACEHOLDERS
from kahnd.render.renderers import registry
from kahnd.render.renderers.parameters import COMMAND_PLACEHOLDERS
from reference import api, configuration, decisions, log, meanings, pages, placeholders

REFERENCE = REPOSITORY / "docs" / "reference"
current = cache(pages.current)


@pytest.mark.parametrize("path", pages.paths(), ids=lambda path: path.name)
def test_a_page_is_as_the_code_tells_it(path: Path) -> None:
    """`make reference` writes it anew."""
    assert path.read_text() == current()[path]


def test_every_key_of_every_table_is_there_with_a_meaning() -> None:
    told = configuration.comments(configuration.EXAMPLE.read_text())
    for table, kind in TABLES.items():
        for each in msgspec.structs.fields(kind):
            assert told.keys[table, each.encode_name], f"{table}.{each.encode_name} has no comment of its own"
            assert f"### `{table}.{each.encode_name}`\n" in configuration.tables()
    assert told.rules.keys() == configuration.of_rules().keys()


@pytest.mark.parametrize("renderer", registry.BUILT_IN)
def test_every_key_of_a_renderers_rules_is_there_with_a_meaning(renderer: str) -> None:
    told = configuration.comments(configuration.EXAMPLE.read_text())
    kind = registry.parameters_type(renderer)
    assert kind is not None
    assert told.renderers[renderer]
    assert all(told.keys[renderer, each.encode_name] for each in msgspec.structs.fields(kind))


def test_decisions_are_numbered_without_gaps_and_in_the_order_of_the_site() -> None:
    for number, path in enumerate(decisions.records(), 1):
        assert path.name.startswith(f"{number:04d}-")
        assert decisions.front_matter(path)["order"] == 100 + number


@pytest.mark.parametrize("path", decisions.records(), ids=lambda path: path.stem)
def test_a_decision_has_a_context_a_decision_and_a_consequence(path: Path) -> None:
    headings = [line for line in path.read_text().splitlines() if line.startswith("## ")]
    assert headings == ["## Context", "## Decision", "## Consequence"]


def test_every_exit_code_is_told() -> None:
    rows = (REFERENCE / "command-line.md").read_text().partition("## Exit codes")[2].partition("## Commands")[0]
    told = {int(line.split("|")[1]) for line in rows.splitlines() if line.startswith("| ") and line[2].isdigit()}
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.KahndError)]
    assert told == {0, 1, 3, INTERRUPTED} | {each.exit_code for each in kinds}


def test_every_command_is_told() -> None:
    page = (REFERENCE / "command-line.md").read_text()
    for name in kahnd.list_commands(click.Context(kahnd)):
        assert f"### `kahnd {name}`\n" in page


def test_every_event_and_key_has_a_meaning() -> None:
    assert meanings.EVENTS.keys() == set(LogEvent)
    used = {key for each in log.keys_by_event().values() for key in each}
    assert used == meanings.KEYS.keys()


def test_what_is_logged_has_the_keys_that_are_told(project: Project) -> None:
    project.configure(PAGES, TEXTS, FIRST_LINES, extra='[log]\nlevel = "debug"\n')
    project.write_all({"docs/a.md": "# A", "docs/b.md": '{% include "c.txt" %}', "docs/c.txt": "{{ nobody }}"})
    project.write("docs/d.md", '{% include "_e.md" %}')
    project.build(code=1)
    project.remove("docs/a.md")
    project.write("docs/c.txt", "c")
    project.build(code=1)
    known = log.keys_by_event()
    entries = project.log()
    assert {"document.rendered", "document.failed", "document.blocked", "document.removed"} <= {
        each["event"] for each in entries
    }
    for entry in entries:
        assert entry.keys() - {"timestamp", "level", "event"} <= set(known[entry["event"]]), entry
        assert entry["level"] == logging.getLevelName(LOG_LEVELS[LogEvent(entry["event"])]).lower()


def test_every_placeholder_has_a_meaning() -> None:
    assert placeholders.OUTPUTS.keys() == set(OUTPUT_PLACEHOLDERS)
    assert placeholders.COMMANDS.keys() == set(COMMAND_PLACEHOLDERS)


def test_an_openapi_document_becomes_a_page() -> None:
    described = json.loads("""{
      "openapi": "3.1.0", "info": {"title": "t", "version": "1", "description": "Over a socket."},
      "paths": {"/v1/things": {
        "get": {"summary": "All things", "description": "In order.",
                "parameters": [{"name": "most", "in": "query", "schema": {"type": "integer", "default": 20}},
                               {"name": "of", "in": "query", "required": true, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "d", "content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Things"}, "example": {"things": []}}}},
                              "400": {"$ref": "#/components/responses/400"}}},
        "post": {"summary": "A new one",
                 "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                 "responses": {"200": {"description": "d", "content": {"text/event-stream": {
                    "schema": {"type": "string"}, "example": "event: x\\ndata: {}\\n\\n"}}}}}}},
      "components": {"schemas": {
        "Things": {"type": "object", "description": "Some.", "required": ["things"], "properties": {
            "things": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
            "next": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": null}}},
        "Thing": {"type": "object", "properties": {"kind": {"enum": ["a", "b"], "description": "Which."}}},
        "Name": {"type": "string"}}}
    }""")
    page = api.page(described)
    assert "### `GET /v1/things`\n\nAll things.\n\nIn order.\n" in page
    assert "| `most` | query | whole number |  |\n| `of` | query | text | required |" in page
    assert 'The answer, `application/json`: [Things](#things).\n\n```json\n{\n  "things": []\n}\n```' in page
    assert "The request's body, `application/json`: [Thing](#thing)." in page
    assert "```text\nevent: x\ndata: {}\n```" in page
    assert "Other answers: `400`." in page
    assert "| `things` | list of [Thing](#thing) |  |" in page
    assert "| `next` | whole number or null | default `null` |" in page
    assert '| `kind` | `"a"`, `"b"` | Which; may be absent |' in page
    assert "### Name\n\nText.\n" in page
