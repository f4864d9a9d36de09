"""`config.example.toml` is whole and true."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from config.helpers import Loader, schemas
from kahnd.config.tables import TABLES, RuleTable

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
OWN = {"name", "database", "ignore", "sources"}
"""Keys whose default says nothing; the example has something telling instead."""


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
    kinds = (RuleTable, schemas()[renderer].parameters)
    keys = {each.encode_name for kind in kinds for each in msgspec.structs.fields(kind)}
    assert keys in [rule.keys() for rule in example["rules"] if rule["renderer"] == renderer]


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
    """Each table's keys have a comment right above them, or stand below one that has."""
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("[") and not line.startswith("[["):
            assert lines[number + 1].startswith("#"), line
