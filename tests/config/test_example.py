"""`config.example.toml` is complete and correct."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from config.helpers import Loader, schemas
from kahnd.config.tables import TABLES, RuleTable

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
OWN = {"name", "database", "ignore", "sources", "python"}
"""Keys whose default explains nothing, so the example has another value."""
USUAL = {"match", "renderer", "output"}
"""The keys that each rule of the example has; its comments tell of the others that every rule may have."""


def test_it_loads(loaded: Loader) -> None:
    config = loaded(EXAMPLE.read_text())
    assert {rule.renderer for rule in config.layout.rules} == schemas().keys()


def test_it_has_every_key_of_every_table() -> None:
    example = tomllib.loads(EXAMPLE.read_text())
    assert example.keys() == {*TABLES, "rules"}
    for name, kind in TABLES.items():
        assert example[name].keys() == {each.encode_name for each in msgspec.structs.fields(kind)}


@pytest.mark.parametrize("renderer", schemas())
def test_it_has_every_key_of_every_renderer(renderer: str) -> None:
    example = tomllib.loads(EXAMPLE.read_text())
    keys = USUAL | {each.encode_name for each in msgspec.structs.fields(schemas()[renderer].parameters)}
    assert keys in [rule.keys() for rule in example["rules"] if rule["renderer"] == renderer]


def test_it_tells_what_every_key_of_every_rule_means() -> None:
    told = set(re.findall(r"^#   ([a-z_]+) +\S", EXAMPLE.read_text(), re.MULTILINE))
    assert told == {each.encode_name for each in msgspec.structs.fields(RuleTable)}


def test_its_values_are_the_defaults() -> None:
    example = tomllib.loads(EXAMPLE.read_text())
    for name, kind in TABLES.items():
        fields = {each.encode_name: each.default for each in msgspec.structs.fields(kind)}
        told = {key: value for key, value in example[name].items() if key not in OWN}
        assert told == {key: fields[key] for key in told}


def test_its_outputs_are_the_defaults_where_there_is_one() -> None:
    for rule in tomllib.loads(EXAMPLE.read_text())["rules"]:
        assert schemas()[rule["renderer"]].output in ("", rule["output"])


def test_every_key_is_explained() -> None:
    """Each key has a comment right above it, or follows a key that has one."""
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("[") and not line.startswith("[["):
            assert lines[number + 1].startswith("#"), line
