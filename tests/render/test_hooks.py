"""The project's own functions in pages and templates: hooks, fences by language, filters and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kahnd.core.model import Kind
from kahnd.render.markdown import MarkdownOptions
from kahnd.render.renderers.parameters import PageParameters, TemplateParameters
from kahnd.render.renderers.registry import plugin_problems, session_files, with_recipes
from render.workshop import Workshop

HOOKS = """\
def shout(text, document):
    return text.replace("hello", document.data("/data/w.toml")["word"])

def finish(html, document):
    return f"<!-- {document.path} -->{html}"

def draw(fence, document):
    return f"<figure title='{fence.attributes['title']}'>{fence.code.strip()} in {fence.language}</figure>"

def breaks(text, document):
    print("printed")
    raise ValueError("no")

def wrong(text, document):
    return 1
"""


def _page(shop: Workshop, text: str, hooks: str = HOOKS, **keys: Any) -> Workshop:
    shop.by(("docs/**/*.md", PageParameters(**keys)))
    shop.write_all({"tools/hooks.py": hooks, "docs/a.md": text, "data/w.toml": "word = '**hi**'\n"})
    return shop


def test_before_is_given_the_markdown_after_templates(shop: Workshop) -> None:
    text = "---\nx: hello\n---\n{{ page.x }} {{ 1 + 1 }}\n"
    assert "<p><strong>hi</strong> 2</p>" in _page(shop, text, before="tools/hooks.py:shout").text("docs/a.md")


def test_before_sees_formulas_as_they_are_written(shop: Workshop) -> None:
    hooks = "def f(text, document):\n    return text.replace('frac', 'dfrac')\n"
    options = MarkdownOptions(math=True)
    html = _page(shop, "{{ 1 }} $\\frac{{a}}{b}$\n", hooks, before="tools/hooks.py:f", markdown=options).text(
        "docs/a.md"
    )
    assert r"\(\dfrac{{a}}{b}\)" in html


def test_before_makes_no_template(shop: Workshop) -> None:
    hooks = "def f(text, document):\n    return '{{ 1 + 1 }}'\n"
    assert "<p>{{ 1 + 1 }}</p>" in _page(shop, "a\n", hooks, before="tools/hooks.py:f").text("docs/a.md")


def test_after_is_given_the_html_before_the_layout(shop: Workshop) -> None:
    html = _page(shop, "a\n", after="tools/hooks.py:finish").text("docs/a.md")
    assert "<body>\n<!-- docs/a.md --><p>a</p>" in html


def test_what_a_hook_reads_is_a_dependency(shop: Workshop) -> None:
    assert _page(shop, "a\n", before="tools/hooks.py:shout").reads("docs/a.md") == [("data/w.toml", Kind.DATA)]


def test_a_hook_takes_over_a_language(shop: Workshop) -> None:
    text = '```plantuml title="T"\nA -> B\n```\n\n```python\nx\n```\n'
    html = _page(shop, text, fences={"plantuml": "tools/hooks.py:draw"}).text("docs/a.md")
    assert "<figure title='T'>A -> B in plantuml</figure>" in html
    assert '<span class="n">x</span>' in html


def test_a_headings_id_differs_from_those_that_a_hook_makes(shop: Workshop) -> None:
    hooks = "def f(fence, document):\n    return '<p id=\"a\"></p>'\n"
    html = _page(shop, "```x\n```\n\n# A\n", hooks, fences={"x": "tools/hooks.py:f"}).text("docs/a.md")
    assert '<h1 id="a-1">' in html


def test_an_exception_in_a_hook_fails_with_its_line(shop: Workshop) -> None:
    problem = _page(shop, "a\n", before="tools/hooks.py:breaks").problem("docs/a.md")
    assert (problem.message, problem.file, problem.line) == ("ValueError: no", "tools/hooks.py", 12)


def test_what_a_hook_prints_stays_out_of_the_workers_output(shop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    _page(shop, "a\n", before="tools/hooks.py:breaks").outcome("docs/a.md")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("keys", "file", "line", "message"),
    [
        ({"before": "tools/hooks.py:wrong"}, "tools/hooks.py", 0, "wrong returned int"),
        ({"after": "tools/hooks.py:none"}, "tools/hooks.py", 0, "has no function 'none'"),
        ({"after": "tools/gone.py:f"}, "kahnd.toml", 10, "tools/gone.py is not there"),
        ({"after": "tools/broken.py:f"}, "tools/broken.py", 1, "SyntaxError"),
        ({"filters": "tools/gone.py"}, "kahnd.toml", 10, "tools/gone.py is not there"),
        ({"filters": "tools/taken.py"}, "tools/taken.py", 0, "templates have a `upper` already"),
    ],
)
def test_a_wrong_function_fails_with_the_remedy(
    shop: Workshop, keys: dict[str, str], file: str, line: int, message: str
) -> None:
    shop.write_all({"tools/broken.py": "def (\n", "tools/taken.py": "def upper(x):\n    return x\n"})
    problem = _page(shop, "a\n", **keys).problem("docs/a.md")
    assert (problem.file, problem.line) == (file, line)
    assert message in problem.message
    assert problem.remedy


def test_a_hook_may_read_another_document_that_is_not_there(shop: Workshop) -> None:
    hooks = "def f(text, document):\n    return document.read('b.md')\n"
    assert _page(shop, "a\n", hooks, before="tools/hooks.py:f").unmet("docs/a.md").needs.target == "docs/b.md"


def test_every_function_is_loaded_to_find_problems(shop: Workshop) -> None:
    """For `doctor`: what is missing or broken is told once, with its place."""
    shop.by(
        ("docs/a.md", PageParameters(before="tools/hooks.py:shout", after="tools/hooks.py:none", fences={"x": "pre"})),
        ("docs/b.md", PageParameters(before="tools/hooks.py:shout", filters="tools/broken.py")),
        ("docs/c.txt", TemplateParameters(filters="tools/gone.py")),
    )
    shop.write_all({"tools/hooks.py": HOOKS, "tools/broken.py": "import nothing_like_it\n"})
    found = dict(plugin_problems(shop.root, shop.layout))
    assert found.pop("tools/hooks.py:shout") is None
    places = {name: (problem["file"], problem["line"]) for name, problem in found.items() if problem}
    assert places == {
        "tools/hooks.py:none": ("tools/hooks.py", 0),
        "tools/broken.py": ("tools/broken.py", 1),
        "tools/gone.py": ("kahnd.toml", 12),
    }


# Filters and tests

FILTERS = """\
from markupsafe import Markup
from json import dumps

def money(value, sign="€"):
    return f"{value:.2f} {sign}"

def longest(rows):
    rows.sort(key=len)
    return rows[-1]

def bold(value):
    return Markup("<b>") + value + Markup("</b>")

def titles(pages):
    return [page.title for page in pages]

def leaks(value):
    return money

def fails(value):
    return 1 / 0

def is_small(number):
    return number < 3

def _hidden(value):
    return value
"""


def _templates(shop: Workshop, **files: str) -> Workshop:
    shop.by(
        ("docs/**/*.md", PageParameters(template="templates/t.html", filters="tools/filters.py")),
        ("docs/**/*.txt", TemplateParameters(filters="tools/filters.py")),
    )
    shop.write_all({"tools/filters.py": FILTERS, "templates/t.html": "{{ content }}{{ '<' | bold }}"})
    shop.write_all({path.replace("__", "."): text for path, text in files.items()})
    return shop


def _written(shop: Workshop, text: str) -> Workshop:
    shop = _templates(shop)
    shop.write_all(
        {"docs/a.md": text, "docs/_p.md": "{{ 2 | money }}", "docs/t.txt": text, "data/d.json": '["cc", "a"]'}
    )
    return shop


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ 1 | money }} {{ 3 | money('$') }}", "1.00 € 3.00 $"),
        ("{{ [1, 2, 4] | select('small') | join(',') }} {{ 3 is small }}", "1,2 False"),
        ('{{ data("/data/d.json") | longest }} {{ data("/data/d.json") | join }}', "cc cca"),
        ('{% include "_p.md" %}', "2.00 €"),
        ("{{ [page] | titles | join }}", "a"),
    ],
)
def test_functions_are_filters_and_tests(shop: Workshop, text: str, expected: str) -> None:
    """In pages, partials, layouts and templates; they can't change a value that others share."""
    _written(shop, text)
    assert f"<p>{expected}</p>\n<b>&lt;</b>" in shop.text("docs/a.md")
    assert shop.text("docs/a.md") == shop.text("docs/a.md")


def test_templates_have_the_same_filters(shop: Workshop) -> None:
    assert _written(shop, "{{ 1 | money }}").text("docs/t.txt") == "1.00 €"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n{{ 1 | fails }}", "the filter `fails` failed: ZeroDivisionError: division by zero (tools/filters.py:21)"),
        ("\n{{ 1 | leaks }}", "the filter `leaks` failed: it returned a function"),
        ("\n{{ (1 | leaks).__globals__ }}", "the filter `leaks` failed: it returned a function"),
        ("\n{{ nothing | money }}", "'nothing' is undefined"),
        ("\n{{ 1 | _hidden }}", "No filter named '_hidden'"),
        ("\n{{ 1 | dumps }}", "No filter named 'dumps'"),
        ("\n{{ 1 | Markup }}", "No filter named 'Markup'"),
    ],
)
def test_a_filter_fails_with_the_line_in_the_page(shop: Workshop, text: str, message: str) -> None:
    problem = _written(shop, text).problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 2)
    assert message in problem.message


@pytest.mark.parametrize("name", ["money", "filters", "tools"])
def test_templates_reach_no_name_of_the_module(shop: Workshop, name: str) -> None:
    assert "is undefined" in _written(shop, f"{{{{ {name} }}}}").problem("docs/a.md").message


def test_one_rules_filters_are_not_anothers(shop: Workshop) -> None:
    shop.by(
        ("docs/a.md", PageParameters(filters="tools/filters.py")),
        ("docs/b.md", PageParameters()),
    )
    text = '{% include "_p.md" %}'
    shop.write_all({"docs/a.md": text, "docs/b.md": text, "docs/_p.md": "{{ 1 | money }}", "tools/filters.py": FILTERS})
    assert "1.00" in shop.text("docs/a.md")
    assert "No filter named 'money'" in shop.problem("docs/b.md").message


# Recipes


@pytest.mark.parametrize(
    "parameters",
    [
        PageParameters(before="tools/hooks.py:f"),
        PageParameters(after="tools/hooks.py:f"),
        PageParameters(filters="tools/hooks.py"),
        PageParameters(fences={"x": "tools/hooks.py:f", "y": "pre"}),
        TemplateParameters(filters="tools/hooks.py"),
    ],
)
def test_the_source_of_a_function_is_part_of_the_recipe(
    shop: Workshop, parameters: PageParameters | TemplateParameters
) -> None:
    """Also that of what it imports from the project."""
    shop.by(("docs/**/*.md", parameters))
    shop.write_all({"tools/hooks.py": "import tools.other\n", "tools/other.py": "a = 1\n"})
    before = with_recipes(shop.layout, shop.root).rules[0].recipe
    assert session_files(shop.layout.rules, shop.root) == {"tools/hooks.py", "tools/other.py"}
    shop.write("tools/other.py", "a = 2\n")
    assert with_recipes(shop.layout, shop.root).rules[0].recipe != before


@pytest.mark.parametrize("options", [{"math": True}, {"toc": "2-3"}, {"code": True}, {"smart_quotes": True}])
def test_every_option_is_part_of_the_recipe(tmp_path: Path, options: dict[str, Any]) -> None:
    shop = Workshop(tmp_path)
    recipes = [
        with_recipes(shop.by(("docs/**/*.md", PageParameters(markdown=each))).layout, shop.root).rules[0].recipe
        for each in (MarkdownOptions(), MarkdownOptions(**options))
    ]
    assert recipes[0] != recipes[1]
