"""Renderers that make several outputs or fill a folder, and pages and plug-ins that use one of them."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from kahnd.core.model import Dependency, DocumentId, Facet, Failed, Kind, OutputPath, Rendered
from kahnd.render import files
from kahnd.render.renderers.parameters import CommandParameters, PageParameters, PythonParameters
from render.workshop import Workshop

MODULE = "plugins/make.py"
MAKE = PythonParameters(function="plugins.make:render")
LIST = ("{stem}.html", "print/{stem}.pdf")
FOLDER = "{dir}/{stem}/"


def _line(line: str) -> CommandParameters:
    return CommandParameters(command=line, shell=True)  # noqa: S604 - what is tested here


def _plugged(shop: Workshop, output: str | tuple[str, ...], expression: str) -> Workshop:
    shop.by(("docs/*.in", MAKE, output), ("docs/*.md", PageParameters()))
    shop.write("docs/a.in", "text")
    shop.write(MODULE, f"def render(document):\n    return {expression}\n")
    return shop


def _shop(shop: Workshop, line: str, output: str | tuple[str, ...]) -> Workshop:
    shop.by(("docs/*.in", _line(line), output), ("docs/*.md", PageParameters()))
    shop.write("docs/a.in", "text")
    return shop


# Programs


def test_a_program_writes_several_outputs_as_they_lie_to_one_another(shop: Workshop) -> None:
    _shop(shop, "for each in {outputs}; do dirname $each > $each; done", LIST)
    assert shop.several("docs/a.in") == {
        "site/a.html": ".kahnd/stage/1\n",
        "site/print/a.pdf": ".kahnd/stage/1/print\n",
    }


def test_outputs_are_words_of_their_own_without_a_shell(shop: Workshop) -> None:
    shop.by(("docs/*.in", CommandParameters(command=("tee", "{outputs}")), ("{stem}.a", "{stem}.b")))
    shop.write("docs/a.in", "text")
    assert shop.several("docs/a.in") == {"site/a.a": "", "site/a.b": ""}


def test_a_program_may_write_a_file_beside_its_first_output_that_the_rule_names(shop: Workshop) -> None:
    _shop(shop, "cp {source} {output}; cp {source} {output}.map", ("{stem}.css", "{stem}.css.map"))
    assert shop.several("docs/a.in") == {"site/a.css": "text", "site/a.css.map": "text"}


def test_a_program_that_leaves_out_an_output_fails_with_its_name(shop: Workshop) -> None:
    problem = _shop(shop, "echo done; cp {source} {output}", LIST).problem("docs/a.in")
    assert "did not write a.pdf" in problem.message
    assert problem.detail == "done"


def test_a_program_fills_a_folder(shop: Workshop) -> None:
    _shop(
        shop, "cp {source} {output}/index.html; mkdir -p {output}/x/y {output}/empty; echo 1 > {output}/x/y/.b", FOLDER
    )
    assert shop.several("docs/a.in") == {"site/a/index.html": "text", "site/a/x/y/.b": "1\n"}


def test_a_program_that_fills_nothing_fails(shop: Workshop) -> None:
    assert "did not write site/a/" in _shop(shop, "mkdir {output}/empty", FOLDER).problem("docs/a.in").message


@pytest.mark.parametrize("line", ["ln -s /etc/passwd {output}/x", "mkfifo {output}/x", "ln -s /etc {output}/x"])
def test_a_link_or_an_odd_file_in_a_folder_is_refused(shop: Workshop, line: str) -> None:
    problem = _shop(shop, f"{line}; echo 1 > {{output}}/a", FOLDER).problem("docs/a.in")
    assert problem.message == "site/a/x is a link, or no regular file"


def test_hard_links_in_a_folder_become_files_of_their_own(shop: Workshop) -> None:
    _shop(shop, "ln {source} {output}/x", FOLDER)
    shop.several("docs/a.in")
    assert (shop.root / "docs/a.in").stat().st_nlink == 1


def test_too_many_files_in_a_folder_fail(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_OUTPUTS", 3)
    problem = _shop(shop, "touch {output}/1; touch {output}/2 {output}/3 {output}/4", FOLDER).problem("docs/a.in")
    assert "more than 3 files" in problem.message


@pytest.fixture
def small_outputs() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_outputs")
def test_outputs_that_are_too_large_together_fail(shop: Workshop) -> None:
    line = "for each in 1 2; do head -c 600000 /dev/zero > {output}/$each; done"
    assert "larger than 1 MB" in _shop(shop, line, FOLDER).problem("docs/a.in").message


# Plug-ins


@pytest.mark.parametrize(
    "names", [("a.html", "a.pdf"), ("html", "pdf"), ("a.html", "print/a.pdf")], ids=["names", "formats", "paths"]
)
def test_a_function_names_the_outputs_of_its_rule(shop: Workshop, names: tuple[str, str]) -> None:
    _plugged(shop, LIST, f'{{"{names[0]}": "H", "{names[1]}": b"P"}}')
    assert shop.several("docs/a.in") == {"site/a.html": "H", "site/print/a.pdf": "P"}


def test_a_function_fills_a_folder(shop: Workshop) -> None:
    _plugged(shop, FOLDER, '{"index.html": document.text, "img/1.svg": b"S"}')
    assert shop.several("docs/a.in") == {"site/a/img/1.svg": "S", "site/a/index.html": "text"}


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "", "x/", ".", "a\\0b", "\\ud800"])
def test_a_path_out_of_the_folder_is_refused(shop: Workshop, name: str) -> None:
    problem = _plugged(shop, FOLDER, f'{{"{name}": "x"}}').problem("docs/a.in")
    assert "is none of its outputs" in problem.message
    assert not (shop.root / "site").exists()


@pytest.mark.parametrize(
    ("output", "expression", "words"),
    [
        (LIST, '{"a.html": "H"}', "no content was made for a.pdf"),
        (LIST, '{"a.html": "H", "pdf": "P", "x.png": "X"}', "'x.png' is none of its outputs"),
        (LIST, '"text"', "returned str"),
        (FOLDER, "{}", "no content was made for site/a/"),
        (FOLDER, '{"a": 1}', "returned dict"),
        (FOLDER, '{"a": "x", "a/b": "y"}', "can't be written"),
        ("{stem}.html", '{"a.html": "H"}', "returned dict"),
    ],
)
def test_outputs_that_are_not_those_of_the_rule_fail(
    shop: Workshop, output: str | tuple[str, ...], expression: str, words: str
) -> None:
    assert words in _plugged(shop, output, expression).problem("docs/a.in").message


# Documents that use one of them


def _used(shop: Workshop, text: str) -> tuple[str, set[str], list[str]]:
    """Returns the html of a page's text, and the facets and outputs of `docs/a.in` that it has used."""
    shop.write("docs/p.md", text)
    outcome = shop.outcome("docs/p.md")
    assert isinstance(outcome, Rendered), outcome
    (read,) = (each for each in outcome.reads if each.dependency.kind is Kind.OUTPUT)
    html = shop.text("docs/p.md").partition("<p>")[2].partition("</p>")[0]
    return html, set(read.dependency.facets or ()), [path for path, _ in read.outputs]


@pytest.mark.parametrize(
    ("call", "url", "facets"),
    [
        ("output('a.in')", "a.html", {"url"}),
        ("output('a.in', format='pdf')", "print/a.pdf", {"url:site/print/a.pdf"}),
        ("output('a.in', 'a.pdf')", "print/a.pdf", {"url:site/print/a.pdf"}),
        (
            "output('a.in', 'pdf').url ~ output('a.in')",
            "print/a.pdfa.html",
            {"url:site/print/a.pdf", "url"},
        ),
        ("output('a.in', 'pdf').text", "P", {"output:site/print/a.pdf"}),
    ],
)
def test_a_page_names_one_of_several_outputs(shop: Workshop, call: str, url: str, facets: set[str]) -> None:
    _plugged(shop, LIST, '{"html": "H", "pdf": "P"}').several("docs/a.in")
    html, used, read = _used(shop, f"{{{{ {call} }}}}")
    assert (html, used) == (url, facets)
    assert read == (["site/print/a.pdf"] if ".text" in call else [])


@pytest.mark.parametrize(
    ("call", "url", "facets"),
    [
        ("output('a.in')", "a/", {"url"}),
        ("output('a.in', 'img/1.svg')", "a/img/1.svg", {"url:site/a/img/1.svg"}),
        ("output('a.in', 'img/1.svg').text", "S", {"output:site/a/img/1.svg"}),
    ],
)
def test_a_page_names_a_file_of_a_folder(shop: Workshop, call: str, url: str, facets: set[str]) -> None:
    _plugged(shop, FOLDER, '{"img/1.svg": "S"}').several("docs/a.in")
    assert _used(shop, f"{{{{ {call} }}}}")[:2] == (url, facets)


@pytest.mark.parametrize(("call", "html"), [("output('a.in')", "a.0123456789ab.css"), ("output('a.in').text", "css")])
def test_a_page_follows_a_path_with_a_hash(shop: Workshop, call: str, html: str) -> None:
    _plugged(shop, "{stem}.{hash}.css", "''")
    shop.write("site/a.0123456789ab.css", "css")
    shop.write("docs/p.md", f"{{{{ {call} }}}}")
    unmet = shop.unmet("docs/p.md")
    assert unmet.needs == Dependency(DocumentId("docs/a.in"), Kind.OUTPUT)
    known = (OutputPath("site/a.{hash}.css"), OutputPath("site/a.0123456789ab.css"))
    job = replace(shop.job("docs/p.md"), hashed=(known,))
    outcome = shop.run(job)
    assert isinstance(outcome, Rendered)
    assert f"<p>{html}</p>" in (shop.root / job.stage).read_text()
    assert [each.dependency.facets for each in outcome.reads] == [frozenset({"url" if html != "css" else "output"})]


@pytest.mark.parametrize("text", ["{{ page('a.in').url }}", "[a](a.in)"])
def test_what_waits_for_nothing_can_not_name_a_path_with_a_hash(shop: Workshop, text: str) -> None:
    _plugged(shop, "{stem}.{hash}.css", "''")
    shop.write("docs/p.md", text)
    problem = shop.problem("docs/p.md")
    assert "whose hash is known only after rendering" in problem.message
    assert problem.remedy == 'write {{ output("/docs/a.in") }} for its url'
    assert problem.file == "docs/p.md"


@pytest.mark.parametrize(
    ("output", "call", "words"),
    [
        (LIST, "output('a.in', 'png')", "docs/a.in has no output named 'png'"),
        (("a/{stem}.x", "b/{stem}.x"), "output('a.in', 'x')", "docs/a.in has several outputs named 'x'"),
        (FOLDER, "output('a.in', '../x')", "docs/a.in has no output named '../x'"),
        (FOLDER, "output('a.in', 'no.svg')", "docs/a.in has not made site/a/no.svg"),
        (FOLDER, "output('a.in').text", "site/a/ is a folder, and no text"),
    ],
)
def test_a_wrong_name_fails_with_the_line_and_a_remedy(
    shop: Workshop, output: str | tuple[str, ...], call: str, words: str
) -> None:
    _plugged(shop, output, '{"1": "S"}' if output == FOLDER else '{"a/a.x": "1", "b/a.x": "2"}')
    shop.write("site/a/1", "S")
    for path in ("site/a.html", "site/print/a.pdf"):
        shop.write(path, "")
    shop.write("docs/p.md", f"one\n\n{{{{ {call} }}}}\n")
    problem = shop.problem("docs/p.md")
    assert (problem.message, problem.line) == (words, 3)
    assert problem.remedy


def test_a_file_that_is_missing_in_a_folder_is_followed(shop: Workshop) -> None:
    _plugged(shop, FOLDER, '{"1": "S"}').several("docs/a.in")
    shop.write("docs/p.md", "{{ output('a.in', '2') }}")
    outcome = shop.outcome("docs/p.md")
    assert isinstance(outcome, Failed)
    used = [each.dependency.facets for each in outcome.reads]
    assert used == [frozenset({"url:site/a/2"}), frozenset({Facet.RENDERINGS})]


def test_a_page_that_uses_very_many_outputs_of_one_document_follows_all_of_them(shop: Workshop) -> None:
    _plugged(shop, FOLDER, '{str(number): "" for number in range(150)}').several("docs/a.in")
    shop.write("docs/p.md", "{% for each in range(150) %}{{ output('a.in', each | string) }}{% endfor %}")
    (read,) = (each for each in shop.outcome("docs/p.md").reads if each.dependency.kind is Kind.OUTPUT)
    assert read.dependency.facets is None
