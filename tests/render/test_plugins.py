"""The document that a plug-in is given, its parameters, and the helper for tests of plug-ins."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from kahnd import plugins
from kahnd.core.hashing import hash_bytes, hash_members
from kahnd.core.model import Dependency, DocumentId, Facet, Failed, Kind, Problem, Read, Rendered
from kahnd.core.rules import PluginEnvironment
from kahnd.plugins import Document, render
from kahnd.render.programs.project_code import PYTHON, imports_packages
from kahnd.render.renderers.parameters import PythonParameters
from kahnd.render.renderers.registry import session_files
from render.workshop import Workshop

MODULE = "plugins/make.py"
PAGES = {
    "docs/posts/a.md": "---\ntitle: Ann\ndate: 2026-01-02\ntags: [x]\n---\n# One\n",
    "docs/posts/b.md": "# Bee\n\ntext\n",
    "docs/posts/_c.md": "# Sea\n",
}


@pytest.fixture
def plugged(shop: Workshop) -> Workshop:
    return _with_parameters(shop)


def _with_parameters(shop: Workshop, **parameters: object) -> Workshop:
    by = PythonParameters(function="plugins.make:render", parameters=dict(parameters))
    shop.by(("docs/*.in", by, "{stem}.out"), *[(each.match, each.parameters) for each in shop.layout.rules[:1]])  # type: ignore[arg-type]
    shop.write("docs/a.in", "---\ntitle: A\n---\ntext")
    return shop


def _body(shop: Workshop, *lines: str, arguments: str = "document") -> None:
    shop.write(MODULE, "\n".join([f"def render({arguments}):", *(f"    {line}" for line in lines)]) + "\n")
    shop.begin_anew()


def _reads(shop: Workshop, *collections: str) -> dict[tuple[str, Kind], list[Facet] | None]:
    """The facets in use of what it reads, sorted; None for all."""
    reads = shop.outcome("docs/a.in", *collections).reads
    found = (each.dependency for each in reads)
    return {
        (each.target, each.kind): None if each.facets is None else sorted(map(Facet, each.facets)) for each in found
    }


def test_a_document_has_its_front_matter_its_text_and_its_title(plugged: Workshop) -> None:
    _body(plugged, "return repr((document.meta, document.body, document.title, len(document.text)))")
    assert plugged.text("docs/a.in") == "({'title': 'A'}, 'text', 'A', 21)"
    plugged.write("docs/a.in", "no front matter")
    assert plugged.text("docs/a.in") == "({}, 'no front matter', 'a', 15)"


def test_pages_are_those_of_templates_and_only_the_parts_that_are_used_count(plugged: Workshop) -> None:
    plugged.write_all(PAGES)
    _body(plugged, "one, two = document.pages('/docs/posts/*.md', sort='-title')", "return f'{one.title} {two.url}'")
    assert plugged.text("docs/a.in", "docs/posts/*.md") == "Bee posts/a.html"
    assert _reads(plugged, "docs/posts/*.md") == {
        ("/docs/posts/*.md", Kind.COLLECTION): None,
        ("docs/posts/a.md", Kind.PAGE): [Facet.TITLE, Facet.URL],
        ("docs/posts/b.md", Kind.PAGE): [Facet.TITLE],
    }
    _body(plugged, "a = document.page('posts/a.md')", 'return f\'{a.meta} {a["tags"]} {a.get("no", 1)} {a.text}\'')
    assert plugged.text("docs/a.in").endswith("['x'] 1 # One\n")
    assert _reads(plugged) == {("docs/posts/a.md", Kind.PAGE): [Facet.FRONT_MATTER, Facet.TEXT]}


def test_what_a_function_does_to_a_pages_values_reaches_no_other_rendering(plugged: Workshop) -> None:
    plugged.write_all(PAGES)
    _body(plugged, "tags = document.page('posts/a.md').meta['tags']", "tags.append('y')", "return str(tags)")
    assert [plugged.text("docs/a.in") for _ in range(2)] == ["['x', 'y']"] * 2


def test_a_collection_that_the_job_does_not_list_is_asked_for_even_if_the_function_goes_on(plugged: Workshop) -> None:
    lines = ("try:", "    return str(document.pages('*.md'))", "except Exception:", "    return 'none'")
    _body(plugged, *lines)
    assert plugged.unmet("docs/a.in").needs == Dependency(DocumentId("/docs/*.md"), Kind.COLLECTION)
    assert plugged.text("docs/a.in", "docs/*.md") == "[]"


def test_the_source_of_a_document_is_a_content_dependency_on_all_of_it(plugged: Workshop) -> None:
    plugged.write("docs/b.md", "# Bee\n")
    _body(plugged, "document.page('b.md').title", "return document.source('b.md')")
    assert plugged.text("docs/a.in") == "# Bee\n"
    (read,) = plugged.outcome("docs/a.in").reads
    assert read == Read(Dependency(DocumentId("docs/b.md"), Kind.PAGE), hash_bytes(b"# Bee\n"))
    assert read.dependency.facets is None


def test_files_that_a_library_reads_by_path_are_declared_and_given_by_path(plugged: Workshop) -> None:
    plugged.write_all({"data/a.csv": "1", "data/b.csv": "22", "data/c.txt": ""})
    _body(plugged, "one = document.depends('/data/c.txt')", "more = document.depends('/data/*.csv')",
          "return f'{one[0].name} {sum(len(each.read_bytes()) for each in more)}'")  # fmt: skip
    assert plugged.text("docs/a.in", "data/*.csv") == "c.txt 3"
    reads = {each.dependency: each.hash for each in plugged.outcome("docs/a.in", "data/*.csv").reads}
    assert reads == {
        Dependency(DocumentId("data/c.txt"), Kind.DATA): hash_bytes(b""),
        Dependency(DocumentId("/data/*.csv"), Kind.COLLECTION): hash_members(["data/a.csv", "data/b.csv"]),
        Dependency(DocumentId("data/a.csv"), Kind.DATA): hash_bytes(b"1"),
        Dependency(DocumentId("data/b.csv"), Kind.DATA): hash_bytes(b"22"),
    }


@pytest.mark.parametrize("path", ["none.csv", "../../x", "/elsewhere/x", "../data/link.csv"])
def test_a_path_that_is_no_document_of_the_project_is_not_given(plugged: Workshop, path: str) -> None:
    plugged.write("elsewhere/x", "")
    plugged.write("data/x", "")
    (plugged.root / "data/link.csv").symlink_to("/etc/passwd")
    _body(plugged, f"return str(document.depends({path!r}))")
    assert not isinstance(plugged.outcome("docs/a.in"), Rendered)


def test_a_function_warns_and_fails_at_a_place_in_its_document(plugged: Workshop) -> None:
    plugged.write_all(PAGES)
    _body(plugged, "document.warn('odd', line=3, column=4)", "document.warn('long')", "return ''")
    outcome = plugged.outcome("docs/a.in")
    assert isinstance(outcome, Rendered)
    assert outcome.warnings == (Problem("odd", "docs/a.in", 3, column=4), Problem("long", "docs/a.in"))
    _body(plugged, "document.page('posts/b.md').title", "document.fail('no', line=2)")
    outcome = plugged.outcome("docs/a.in")
    assert isinstance(outcome, Failed)
    assert outcome.problem == Problem("no", "docs/a.in", 2)
    assert [each.dependency.target for each in outcome.reads] == ["docs/posts/b.md"]


def test_a_function_can_fill_its_target_instead(plugged: Workshop) -> None:
    _body(plugged, "document.target.write_bytes(b'made')", "assert document.target.is_absolute()")
    assert plugged.text("docs/a.in") == "made"


def test_a_function_that_returns_nothing_and_fills_nothing_is_told(plugged: Workshop) -> None:
    _body(plugged, "document.target.mkdir()")
    assert plugged.problem("docs/a.in").message == "plugins.make:render returned nothing"


def test_the_rules_parameters_are_given_as_a_copy(shop: Workshop) -> None:
    plugged = _with_parameters(shop, width=3, words=["a"])
    _body(plugged, "document.parameters['words'].append('b')", "return str(document.parameters)")
    assert [plugged.text("docs/a.in") for _ in range(2)] == ["{'width': 3, 'words': ['a', 'b']}"] * 2
    _body(plugged, "return str(parameters)", arguments="document, parameters")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("document, parameters", "{'width': 3}"),
        ("document, parameters: 'Given'", "Given(width=3, name='x')"),
        ("document, cache={}", "{}"),
        ("document, *rest", "()"),
    ],
)
def test_a_second_parameter_without_a_default_gets_the_rules_parameters(
    shop: Workshop, arguments: str, expected: str
) -> None:
    plugged = _with_parameters(shop, width=3)
    given = "from dataclasses import dataclass\n@dataclass\nclass Given:\n    width: int\n    name: str = 'x'\n"
    name = arguments.replace("*", "").split(", ")[1].partition(":")[0].partition("=")[0]
    plugged.write(MODULE, f"{given}def render({arguments}):\n    return str({name})\n")
    assert plugged.text("docs/a.in") == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"width": "wide"}, "parameters: Expected `int`, got `str` - at `$.width`"),
        ({}, "parameters: Object missing required field `width`"),
        ({"width": 3, "hieght": 4}, "parameters: 'hieght' is unknown; did you mean 'height'?"),
    ],
)
def test_wrong_parameters_are_told_with_the_rules_line(
    shop: Workshop, parameters: dict[str, object], message: str
) -> None:
    plugged = _with_parameters(shop, **parameters)
    given = "import msgspec\nclass Given(msgspec.Struct):\n    width: int\n    height: int = 1\n"
    plugged.write(MODULE, f"{given}def render(document, parameters: Given):\n    return ''\n")
    problem = plugged.problem("docs/a.in")
    assert (problem.file, problem.line, problem.message) == ("kahnd.toml", 10, message)


# the environment

PACKAGES = f".venv/lib/python{PYTHON}/site-packages"


@pytest.fixture
def housed(plugged: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A project with an environment of its own; what is imported from there is forgotten."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(plugged.root)])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    plugged.layout = replace(plugged.layout, environment=PluginEnvironment(".venv", 5))
    plugged.write(f"{PACKAGES}/kahnd_test_thing.py", "word = 'thing'\n")
    plugged.write(f"{PACKAGES}/kahnd_test_thing-1.0.dist-info/METADATA", "")
    plugged.write(MODULE, "import kahnd_test_thing\ndef render(document):\n    return kahnd_test_thing.word\n")
    plugged.begin_anew()
    return plugged


def _fingerprint(shop: Workshop) -> str:
    return shop.renderers["python"].fingerprint(shop.layout.rules[0].parameters)


def test_a_plug_in_imports_packages_of_the_projects_environment(housed: Workshop) -> None:
    assert housed.text("docs/a.in") == "thing"
    assert sys.path[-2:] == [str(housed.root / PACKAGES), str(housed.root)]


def test_the_versions_of_packages_are_in_the_recipe_of_a_plug_in_that_imports_any(housed: Workshop) -> None:
    before = _fingerprint(housed)
    installed = housed.root / PACKAGES
    (installed / "kahnd_test_thing-1.0.dist-info").rename(installed / "kahnd_test_thing-1.1.dist-info")
    after = _fingerprint(housed)
    assert before != after
    files = session_files(housed.layout.rules, housed.root, housed.layout.environment)
    assert {MODULE, str(installed), sysconfig.get_path("purelib")} == files
    _body(housed, "return ''")
    alone = _fingerprint(housed)
    shutil.rmtree(installed)
    assert _fingerprint(housed) == alone
    assert session_files(housed.layout.rules, housed.root, housed.layout.environment) == {MODULE}


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import json, os.path\nfrom . import x\nimport kahnd.plugins\nimport plugins.other, folder\n", False),
        ("def f():\n    from yaml import load\n", True),
        ("import importlib\n", True),
        ("__import__('yaml')\n", True),
        ("import no_such_module\n", True),
    ],
)
def test_imports_of_packages_are_found_in_the_source(shop: Workshop, source: str, imports: bool) -> None:  # noqa: FBT001
    shop.write_all({MODULE: source, "folder/x.py": "", "plugins/other.py": ""})
    assert imports_packages(shop.root, [MODULE]) is imports


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (None, "the environment .venv is not there"),
        (".venv/lib/python3.2/site-packages", "the environment .venv is for Python 3.2, and kahnd runs on"),
        (".venv/bin", ".venv is no Python environment"),
    ],
)
def test_an_environment_that_can_not_be_used_is_told_with_its_line(
    housed: Workshop, make: str | None, message: str
) -> None:
    shutil.rmtree(housed.root / ".venv")
    if make:
        (housed.root / make).mkdir(parents=True)
    problem = housed.problem("docs/a.in")
    assert (problem.file, problem.line) == ("kahnd.toml", 5)
    assert problem.message.startswith(message)
    assert f"python{PYTHON} -m venv .venv" in problem.remedy


def test_a_package_that_is_not_installed_is_told_alike_for_all_documents(housed: Workshop) -> None:
    housed.write(MODULE, "import kahnd_test_none\n")
    housed.write("docs/b.in", "")
    one, other = housed.problem("docs/a.in"), housed.problem("docs/b.in")
    assert one == other
    assert (one.file, one.line) == (MODULE, 1)
    assert "install the package into .venv" in one.remedy


# the helper


@dataclass
class Size:
    width: int


class Shape(msgspec.Struct):
    width: int


def listing(document: Document, size: Size) -> str:
    document.warn("is short", line=1)
    titles = [page.title for page in document.pages("/docs/posts/*.md")]
    return f"{document.text} {titles} {document.data('/data/x.csv')} {size.width}"


def failing(document: Document) -> str:
    document.fail("no", line=2, column=3)


def reading(document: Document) -> str:
    return document.read("none.txt")


def linking(document: Document, shape: Shape) -> str:
    return document.output("posts/b.md").url * shape.width


def test_a_function_can_be_called_in_a_test(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write_all({**PAGES, "docs/a.list": "List:", "data/x.csv": "n\n1\n"})
    made = render(listing, "docs/a.list", project=tmp_path, parameters={"width": 2})
    assert made.text == "List: ['Sea', 'Ann', 'Bee'] [{'n': '1'}] 2"
    assert [(each.message, each.file, each.line) for each in made.warnings] == [("is short", "docs/a.list", 1)]
    assert made.dependencies == (
        *("docs/posts/*.md", "docs/posts/_c.md", "docs/posts/a.md", "docs/posts/b.md", "data/x.csv"),
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "docs"]


def test_the_helper_follows_the_projects_own_configuration(tmp_path: Path) -> None:
    shop = Workshop(tmp_path)
    shop.write_all({**PAGES, "docs/a.list": "List:", "data/x.csv": "n\n1\n", "site/posts/b.html": ""})
    rule = '[[rules]]\nmatch = "docs/**/*.md"\nrenderer = "page"\n'
    shop.write("kahnd.toml", f'[project]\nsources = ["docs", "data"]\n{rule}')
    assert "['Ann', 'Bee']" in render(listing, "docs/a.list", project=tmp_path, parameters={"width": 2}).text
    assert render(linking, "docs/a.list", project=tmp_path, parameters={"width": 1}).text == "posts/b.html"


@pytest.mark.parametrize(
    ("function", "parameters", "message"),
    [
        (failing, {}, "docs/a.list:2:3: no"),
        (reading, {}, "docs/a.list: needs docs/none.txt, which is not there (create it, or correct the path)"),
        (listing, {"width": "x"}, "kahnd.toml: parameters: Expected `int`, got `str` - at `$.width`"),
    ],
)
def test_a_failure_is_raised(tmp_path: Path, function: object, parameters: dict[str, object], message: str) -> None:
    Workshop(tmp_path).write("docs/a.list", "")
    with pytest.raises(plugins.Failed) as raised:
        render(function, "docs/a.list", project=tmp_path, parameters=parameters)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)
