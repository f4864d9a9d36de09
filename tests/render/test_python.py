"""Functions of the project as renderers."""

from __future__ import annotations

import sys

import pytest

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Dependency, DocumentId, Failed, Kind
from kahnd.platform.processes import CapturedOutput
from kahnd.render.renderers.parameters import PythonParameters, TemplateParameters
from kahnd.render.renderers.registry import session_files
from render.workshop import Workshop

MODULE = "plugins/make.py"


@pytest.fixture
def plugged(shop: Workshop) -> Workshop:
    shop.by(
        ("docs/*.in", PythonParameters(function="plugins.make:render"), "{stem}.out"),
        ("docs/*.txt", TemplateParameters()),
    )
    shop.write("docs/a.in", "text")
    return shop


def _returns(plugged: Workshop, expression: str) -> None:
    plugged.write(MODULE, f"def render(document):\n    return {expression}\n")


@pytest.mark.parametrize("expression", ["document.text.upper()", "document.content.upper()"])
def test_a_function_returns_text_or_bytes(plugged: Workshop, expression: str) -> None:
    _returns(plugged, expression)
    assert plugged.text("docs/a.in") == "TEXT"


def test_what_it_reads_through_its_document_is_reported(plugged: Workshop) -> None:
    plugged.write_all({"docs/part.csv": "x\n1\n", "docs/words": "words", "docs/b.txt": "Bee"})
    plugged.publish("docs/b.txt")
    _returns(plugged, 'f"{document.path} {document.data(\'part.csv\')[0][\'x\']} {document.read(\'/docs/words\')}"'
             ' f" {document.output(\'b.txt\')} {document.output(\'b.txt\').text}"')  # fmt: skip
    assert plugged.text("docs/a.in") == "docs/a.in 1 words b.txt Bee"
    reads = plugged.outcome("docs/a.in").reads
    assert [(each.dependency.target, each.dependency.kind) for each in reads] == [
        ("docs/part.csv", Kind.DATA),
        ("docs/words", Kind.DATA),
        ("docs/b.txt", Kind.OUTPUT),
    ]
    assert reads[2].hash == hash_bytes(b"Bee")


def test_what_it_asks_for_and_is_not_there_is_needed(plugged: Workshop) -> None:
    _returns(plugged, 'document.read("no.csv")')
    unmet = plugged.unmet("docs/a.in")
    assert unmet.needs == Dependency(DocumentId("docs/no.csv"), Kind.DATA)
    assert unmet.problem.file == "docs/a.in"


@pytest.mark.parametrize(
    ("expression", "dependency"),
    [
        ("document.output('words')", Dependency(DocumentId("docs/words"), Kind.OUTPUT)),
        ("document.read('/other/words')", Dependency(DocumentId("other/words"), Kind.DISCOVERED)),
    ],
    ids=["an output that no rule makes", "outside of the sources"],
)
def test_what_another_config_could_give_it_is_reported(
    plugged: Workshop, expression: str, dependency: Dependency
) -> None:
    plugged.write_all({"docs/words": "words", "other/words": "words"})
    _returns(plugged, expression)
    outcome = plugged.outcome("docs/a.in")
    assert isinstance(outcome, Failed)
    assert [(each.dependency, each.hash) for each in outcome.reads] == [(dependency, None)]


def test_it_can_not_read_outside_of_the_project(plugged: Workshop) -> None:
    _returns(plugged, 'document.read("../../x")')
    assert "out of the project" in plugged.problem("docs/a.in").message


def test_an_exception_is_told_with_its_line_and_the_last_frames(plugged: Workshop) -> None:
    plugged.write(
        MODULE, "def render(document):\n    return deep(9)\n\ndef deep(n):\n    raise LookupError('no shelf')\n"
    )
    problem = plugged.problem("docs/a.in")
    assert (problem.file, problem.line, problem.message) == (MODULE, 5, "LookupError: no shelf")
    assert "deep(9)" in problem.detail
    assert "_outcome" not in problem.detail, "kahnd's own frames say nothing to the author"


def test_an_exception_in_a_package_of_the_project_is_told_at_the_line_that_calls_it(plugged: Workshop) -> None:
    plugged.write(".venv/lib/python3.11/site-packages/pack.py", "def go():\n    raise LookupError('no shelf')\n")
    path = "import sys\nsys.path.append(__file__.rsplit('/', 2)[0] + '/.venv/lib/python3.11/site-packages')\n"
    plugged.write(MODULE, f"{path}import pack\ndef render(document):\n    pack.go()\n")
    problem = plugged.problem("docs/a.in")
    assert (problem.file, problem.line, problem.message) == (MODULE, 5, "LookupError: no shelf")
    assert "pack.py" in problem.detail


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("\n\ndef render(:\n", 3, "SyntaxError"),
        ("\nimport no_such_module\n", 2, "no_such_module"),
        ("\nraise SystemExit(3)\n", 2, "SystemExit"),
        ("render = 7\n", 0, "no function 'render'"),
        ("def render():\n    pass\n", 0, "TypeError"),
        ("def render(document):\n    return 7\n", 0, "returned int"),
        ("def render(document):\n    return '\\ud800'\n", 0, "surrogates"),
    ],
)
def test_a_module_that_is_no_good_is_told(plugged: Workshop, source: str, line: int, words: str) -> None:
    plugged.write(MODULE, source)
    problem = plugged.problem("docs/a.in")
    assert words in problem.message
    assert not line or (problem.file, problem.line) == (MODULE, line)


def test_a_syntax_error_is_shown_with_its_line_and_none_of_kahnds_own(plugged: Workshop) -> None:
    plugged.write(MODULE, "import re\n\nx = re.\n")
    problem = plugged.problem("docs/a.in")
    assert problem.message == "SyntaxError: invalid syntax"
    assert problem.detail.split("\n")[0].strip() == "x = re."
    assert "kahnd" not in problem.detail


def test_a_syntax_error_in_a_module_that_is_imported_is_told_there(
    plugged: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(plugged.root)
    plugged.write("shelf.py", "\ndef (:\n")
    plugged.write(MODULE, "import shelf\ndef render(document):\n    return ''\n")
    problem = plugged.problem("docs/a.in")
    assert (problem.file, problem.line) == ("shelf.py", 2)


def test_a_module_that_is_not_there_is_told_with_the_rules_line(plugged: Workshop) -> None:
    problem = plugged.problem("docs/a.in")
    assert (problem.file, problem.line) == ("kahnd.toml", 10)
    assert "plugins/make.py is not there" in problem.message


def test_a_module_does_not_stand_before_the_standard_librarys(shop: Workshop) -> None:
    shop.by(("docs/*.in", PythonParameters(function="json:render"), "{stem}.out"))
    shop.write_all({"docs/a.in": "", "json.py": "import json\ndef render(document):\n    return json.dumps([1])\n"})
    before = list(sys.path)
    assert shop.text("docs/a.in") == "[1]"
    assert sys.path == before


def test_a_module_is_loaded_once(plugged: Workshop) -> None:
    plugged.write(MODULE, "loads = []\ndef render(document):\n    loads.append(1)\n    return str(len(loads))\n")
    assert (plugged.text("docs/a.in"), plugged.text("docs/a.in")) == ("1", "2")


def test_a_modules_source_is_in_the_recipe_and_asks_for_a_new_session(plugged: Workshop) -> None:
    renderer, parameters = plugged.renderers["python"], plugged.layout.rules[0].parameters
    seen = {renderer.fingerprint(parameters)}
    for expression in ("'one'", "'two'"):
        _returns(plugged, expression)
        seen.add(renderer.fingerprint(parameters))
    assert len(seen) == 3
    assert session_files(plugged.layout.rules, plugged.root) == {MODULE}


def test_what_a_module_imports_from_the_project_is_in_the_recipe(
    plugged: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(plugged.root)
    plugged.write_all({
        MODULE: "import json, kahnd_test_one\ndef render(document):\n    return kahnd_test_one.word\n",
        "kahnd_test_one.py": "from kahnd_test_pack.two import word\n",
        "kahnd_test_pack/__init__.py": "",
        "kahnd_test_pack/two.py": "from . import three\nword = three.word\n",
        "kahnd_test_pack/three.py": "import kahnd_test_one\nword = 'three'\n",
    })  # fmt: skip
    assert plugged.text("docs/a.in") == "three"
    renderer, parameters = plugged.renderers["python"], plugged.layout.rules[0].parameters
    before = renderer.fingerprint(parameters)
    plugged.write("kahnd_test_pack/three.py", "word = 'four'\n")
    assert renderer.fingerprint(parameters) != before
    assert session_files(plugged.layout.rules, plugged.root) == {
        MODULE,
        "kahnd_test_one.py",
        "kahnd_test_pack/__init__.py",
        "kahnd_test_pack/two.py",
        "kahnd_test_pack/three.py",
    }


LOUD = """\
import logging, subprocess, sys
log = logging.Logger("loud")
log.addHandler(logging.StreamHandler())
def render(document):
    print("one \\udc80")
    sys.stderr.write("two\\n")
    sys.stdout.buffer.write(b"three\\n")
    log.warning("four")
    subprocess.run(["true"], stdout=sys.stdout, check=True)
    sys.stdout.write("x" * int(document.text) + "\\n")
    if document.text != "1":
        raise ValueError("five")
    return "well"
"""


def test_what_a_function_prints_is_told_where_it_fails_and_nowhere_else(
    plugged: Workshop, capfd: pytest.CaptureFixture[str]
) -> None:
    plugged.write(MODULE, LOUD)
    for _ in range(2):  # the module is loaded once
        plugged.write("docs/a.in", "1")
        assert plugged.text("docs/a.in") == "well"
        plugged.write("docs/a.in", "2")
        problem = plugged.problem("docs/a.in")
        assert problem.message == "ValueError: five"
        assert 'raise ValueError("five")\nIt printed:\none \\udc80\ntwo\nthree\nfour\nxx' in problem.detail
    assert capfd.readouterr() == ("", "")


def test_of_much_that_a_function_prints_the_end_is_told(plugged: Workshop) -> None:
    plugged.write(MODULE, LOUD)
    plugged.write("docs/a.in", "10000000")
    printed = plugged.problem("docs/a.in").detail.partition("It printed:\n")[2]
    assert printed.strip("x") == ""
    assert 1000 < len(printed) < 10_000


def test_what_a_module_prints_that_is_no_good_is_told(plugged: Workshop) -> None:
    plugged.write(MODULE, "print('hello')\n")
    assert plugged.problem("docs/a.in").detail == "hello"


def test_the_stream_that_listens_can_not_be_closed_by_the_code_that_prints() -> None:
    overheard = CapturedOutput()
    for words in ("one", "two"):
        with overheard.capture():
            print(words)  # noqa: T201
            sys.stdout.close()
        assert overheard.text == words
