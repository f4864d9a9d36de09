"""Rule keys: their types, and what is checked beyond them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kahnd.render.renderers.parameters import (
    CommandParameters,
    CopyParameters,
    PageParameters,
    Parameters,
    PythonParameters,
    TemplateParameters,
)


@pytest.mark.parametrize(
    "kind", [PageParameters, TemplateParameters, CommandParameters, CopyParameters, PythonParameters]
)
def test_an_unknown_key_is_refused(kind: type[Parameters]) -> None:
    needed = {"command": ["x"], "function": "a:b"}
    known = {each.name for each in msgspec.structs.fields(kind)}
    given = {key: value for key, value in needed.items() if key in known}
    msgspec.convert(given, kind)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({**given, "surprise": 1}, kind)


@pytest.mark.parametrize(
    "keys",
    [
        {"command": ["cp", "{source}", "{output}"]},
        {"command": ["cat", "${HOME}", "{print $1}", "{}"], "stdout": True},
        {"command": "cat {source} > {output}", "shell": True},
        {"command": ["x", "{output}", "{depfile}"], "scan": [r"include (\S+)"]},
    ],
)
def test_a_good_command_has_nothing_against_it(keys: dict[str, Any]) -> None:
    assert msgspec.convert(keys, CommandParameters).check() == []


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"command": []}, "empty"),
        ({"command": ["", " "]}, "empty"),
        ({"command": ["", "{output}"]}, "empty word"),
        ({"command": ["cp", "a\0b", "{output}"]}, "NUL"),
        ({"command": "cp {output}"}, "shell = true"),
        ({"command": ["cp", "{output}"], "shell": True}, "shell = true"),
        ({"command": ["cp", "{source}"]}, "stdout = true"),
        ({"command": ["cp", "{sorce}", "{output}"]}, "`{sorce}` is no placeholder; did you mean `{source}`?"),
        ({"command": ["cp", "{zzz}", "{output}"]}, "there are source, output"),
        ({"command": ["cp", "{output}"], "scan": ["("]}, "no regular expression"),
        ({"command": ["cp", "{output}"], "scan": ["a"]}, "no group"),
    ],
)
def test_a_bad_command_is_told_in_one_sentence(keys: dict[str, Any], words: str) -> None:
    (told,) = msgspec.convert(keys, CommandParameters).check()
    assert words in told


@pytest.mark.parametrize("function", ["render", "a:", ":b", "a.b", "a-b:c", "a..b:c", "a:b.c", "../a:b"])
def test_a_bad_function_is_told(function: str) -> None:
    assert "module:function" in PythonParameters(function=function).check()[0]


def test_a_functions_module_is_a_file_of_the_project() -> None:
    parameters = PythonParameters(function="plugins.tables:render")
    assert (parameters.check(), parameters.module_file, parameters.attribute) == ([], "plugins/tables.py", "render")
