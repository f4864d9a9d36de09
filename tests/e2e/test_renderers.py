"""Each renderer of the handbook of rules, by what its output holds."""

from __future__ import annotations

import os
import sys

import pytest

from e2e.harness import Corner, Daemon, Project
from e2e.rules import PAGES, TEXTS, rule, toml

LAYOUT = "<html><title>{{ page.title }}</title><body>{{ content }}</body></html>\n"

PAGE = """---
title: Named
---
# Head *line*

| a | b |
|---|---|
| 1 | 2 |

- [x] done

Note[^1]

[^1]: Foot.
"""


# page


def test_a_page_is_markdown_laid_out(project: Project) -> None:
    project.configure(PAGES + 'template = "docs/_layout.html"\n')
    project.write_all(
        {
            "docs/_layout.html": LAYOUT,
            "docs/a.md": PAGE,
        }
    )
    project.build()
    html = project.output("a.html")
    assert "<title>Named</title>" in html
    assert "<em>line</em>" in html
    assert "<td>1</td>" in html
    assert "checkbox" in html
    assert "Foot." in html
    assert '<h1 id="head-line"' in html


def test_code_in_a_page_is_highlighted(corner: Corner) -> None:
    corner.write("a.md", "```python\nimport os\n```\n")
    corner.wait()
    assert "<span" in corner.output("a.html")


def test_a_page_can_bring_its_own_layout_and_a_layout_can_extend(corner: Corner) -> None:
    corner.write_all(
        {
            "_base.html": "<base>{% block inner %}{% endblock %}</base>",
            "_own.html": '{% extends "_base.html" %}{% block inner %}{{ content }}{% endblock %}',
            "a.md": "---\ntemplate: _own.html\n---\nText\n",
        }
    )
    corner.wait()
    assert "<base><p>Text</p>" in corner.output("a.html")
    with corner.renders("a.md"):
        corner.write("_base.html", "<new>{% block inner %}{% endblock %}</new>")
    assert "<new><p>Text</p>" in corner.output("a.html")


def test_a_page_without_templating_keeps_its_braces(project: Project) -> None:
    project.configure(PAGES + "templating = false\n")
    project.write("docs/a.md", "---\ntitle: T\n---\n{{ braces }} {% include 'nowhere' %}\n")
    project.build()
    assert "{{ braces }}" in project.output("a.html")


# template


def test_data_of_every_kind_is_parsed(corner: Corner) -> None:
    corner.write_all(
        {
            "data/rows.csv": "name,n\nx,1\ny,2\n",
            "data/o.json": '{"k": [1, 2]}',
            "data/o.toml": "k = 3\n",
            "data/o.yaml": "k: four\n",
            "a.txt": (
                '{% for row in data("data/rows.csv") %}{{ row.name }}={{ row.n }} {% endfor %}'
                '{{ data("data/o.json").k[1] }} {{ data("data/o.toml").k }} {{ data("data/o.yaml").k }}'
            ),
        }
    )
    corner.wait()
    assert corner.output("a.txt") == "x=1 y=2 2 3 four"
    with corner.renders("a.txt"):
        corner.write("data/rows.csv", "name,n\nz,9\n")
    assert corner.output("a.txt") == "z=9 2 3 four"


def test_imports_and_dependencies_that_only_rendering_finds(corner: Corner) -> None:
    corner.write_all(
        {
            "_macros.txt": "{% macro loud(text) %}{{ text | upper }}!{% endmacro %}",
            "_one.txt": "one",
            "a.txt": (
                '{% from "_macros.txt" import loud %}{{ loud("hey") }} '
                '{% set n = "one" %}{% include "_" ~ n ~ ".txt" %}'
            ),
        }
    )
    corner.wait()
    assert corner.output("a.txt") == "HEY! one"
    with corner.renders("a.txt"):
        corner.write("_one.txt", "uno")
    with corner.renders("a.txt"):
        corner.write("_macros.txt", "{% macro loud(text) %}{{ text }}?{% endmacro %}")
    assert corner.output("a.txt") == "hey? uno"


def test_an_include_that_may_be_missing_is_no_failure(corner: Corner) -> None:
    corner.write("a.txt", 'A{% include "_b.txt" ignore missing %}')
    corner.wait()
    assert corner.output("a.txt") == "A"
    with corner.renders("a.txt"):
        corner.write("_b.txt", "B")
    assert corner.output("a.txt") == "AB"


def test_the_output_of_another_is_its_url_or_its_text(corner: Corner) -> None:
    corner.write_all({"deep/a.txt": '{{ output("../b.sum") }} {{ output("../b.sum").text }}', "b.sum": "B\n"})
    corner.wait()
    url, first, *_ = corner.output("deep/a.txt").split()
    assert url == "../b.cksum"
    assert first == corner.output("b.cksum").split()[0]


# command


def test_a_commands_placeholders(project: Project) -> None:
    words = '["echo", "{source}", "{dir}", "{stem}", "{deps}"]'
    more = f"command = {words}\nstdout = true\nscan = ['needs (\\S+)']\n"
    project.write("kahnd.toml", toml(rule("docs/**/*.e", "command", "{dir}/{stem}.out", more), TEXTS))
    project.write_all({"docs/deep/a.e": "needs data.csv\nneeds ../b.txt", "docs/deep/data.csv": "", "docs/b.txt": "B"})
    project.build()
    source, _, stem, *deps = project.output("deep/a.out").split()
    assert (source, stem) == ("docs/deep/a.e", "a")
    assert deps == ["docs/deep/data.csv", "site/b.txt"]


def test_a_command_in_a_shell(project: Project) -> None:
    more = "command = 'tr a-z A-Z < {source} > {output}'\nshell = true\n"
    project.write("kahnd.toml", toml(rule("docs/*.up", "command", "{stem}.out", more)))
    project.write_all({"docs/a b;c.up": "loud"})
    project.build()
    assert project.outputs() == {"a b;c.out": b"LOUD"}


def test_a_depfile_tells_what_a_command_read(project: Project) -> None:
    script = 'cat docs/part.csv "$1" > "$2"; printf "%s: %s docs/part.csv\\n" "$2" "$1" > "$3"'
    more = f"command = ['sh', '-c', '{script}', 'sh', '{{source}}', '{{output}}', '{{depfile}}']\n"
    project.write("kahnd.toml", toml(rule("docs/*.in", "command", "{stem}.out", more)))
    project.write_all({"docs/a.in": "A", "docs/part.csv": "1"})
    project.build()
    assert project.output("a.out") == "1A"
    project.write("docs/part.csv", "2")
    assert project.build()["rendered"] == ["docs/a.in"]
    assert project.output("a.out") == "2A"


def test_a_command_needs_what_is_rendered_first(corner: Corner) -> None:
    corner.write_all({"a.sum": "needs z.txt", "z.txt": '{% include "_part.txt" %}', "_part.txt": "1"})
    corner.wait()
    before = corner.output("a.cksum")
    with corner.renders("a.sum", "z.txt"):
        corner.write("_part.txt", "2")
    assert corner.output("a.cksum") != before


# copy and python


def test_a_copy_is_the_file_as_it_is(corner: Corner) -> None:
    content = bytes(range(256)) * 4000
    corner.write("deep/a.bin", content)
    corner.wait()
    assert corner.outputs() == {"deep/a.bin": content}


MODULE = """
def render(document):
    rows = document.data("rows.csv")
    return f"{document.text.strip()} {len(rows)} rows"
"""


@pytest.fixture
def scripted(project: Project) -> Project:
    """A document that a function of the project renders, with a data sheet that only the function knows of."""
    plugin = rule("docs/*.py.in", "python", "{stem}.out", 'function = "tools.make:render"\n')
    project.write("kahnd.toml", toml(plugin, TEXTS))
    project.write_all(
        {"tools/make.py": MODULE, "docs/a.py.in": "A has", "docs/rows.csv": "n\n1\n2\n", "docs/b.txt": "B"}
    )
    return project


def test_a_function_of_the_project_renders_and_what_it_reads_is_a_dependency(scripted: Project) -> None:
    scripted.build()
    assert scripted.output("a.py.out") == "A has 2 rows"
    scripted.write("docs/rows.csv", "n\n1\n")
    assert scripted.build()["rendered"] == ["docs/a.py.in"]
    assert scripted.output("a.py.out") == "A has 1 rows"


def test_a_functions_source_is_part_of_the_recipe(scripted: Project) -> None:
    scripted.build()
    scripted.write("tools/make.py", MODULE + "\n# a comment\n")
    assert scripted.build()["rendered"] == ["docs/a.py.in"]


@pytest.mark.parametrize("helper", ["tools/words.py", "words.py"])
def test_a_module_of_the_same_size_saved_within_the_same_second_counts(scripted: Project, helper: str) -> None:
    """Python's cached bytecode, which is of the module before, would still count as its own."""
    name = helper.removesuffix(".py").replace("/", ".")
    scripted.write("tools/make.py", f"from {name} import WORD\ndef render(document):\n    return WORD\n")
    for word in ("one", "two"):
        scripted.write(helper, f"WORD = {word!r}\n")
        os.utime(scripted.path(helper), (1_700_000_000, 1_700_000_000))
        scripted.build()
        assert scripted.output("a.py.out") == word
    assert not list(scripted.root.rglob("__pycache__"))


def test_a_daemon_renders_with_a_functions_new_source(scripted: Project) -> None:
    with scripted.daemon(), scripted.renders("docs/a.py.in"):
        scripted.write("tools/make.py", MODULE.replace("rows", "lines").replace("lines.csv", "rows.csv"))
    assert scripted.output("a.py.out") == "A has 2 lines"


def test_a_daemon_renders_once_the_environment_is_there_and_when_a_package_in_it_is_upgraded(scripted: Project) -> None:
    packages = f".venv/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    scripted.write("kahnd.toml", scripted.read("kahnd.toml") + '\n[plugins]\npython = ".venv"\n')
    scripted.write("tools/make.py", "import kahnd_e2e_thing\ndef render(document):\n    return kahnd_e2e_thing.WORD\n")
    scripted.write(packages.replace(".venv", "made") + "/kahnd_e2e_thing.py", "WORD = 'one'\n")
    scripted.write(packages.replace(".venv", "made") + "/kahnd_e2e_thing-1.0.dist-info/METADATA", "")
    with scripted.daemon():
        (failed,) = scripted.kahnd("wait", "--json", code=1).json["failed"]
        assert "the environment .venv is not there" in failed["error"]
        with scripted.renders("docs/a.py.in"):
            scripted.path("made").rename(scripted.path(".venv"))
        assert scripted.output("a.py.out") == "one"
        with scripted.renders("docs/a.py.in"):
            scripted.write(f"{packages}/kahnd_e2e_thing.py", "WORD = 'another'\n")
            scripted.path(f"{packages}/kahnd_e2e_thing-1.0.dist-info").rename(
                scripted.path(f"{packages}/kahnd_e2e_thing-1.1.dist-info")
            )
        assert scripted.output("a.py.out") == "another"


def test_a_daemon_renders_with_what_a_function_imports(scripted: Project) -> None:
    scripted.write("tools/words.py", "WORD = 'one'\n")
    scripted.write("tools/make.py", "from tools.words import WORD\ndef render(document):\n    return WORD\n")
    with scripted.daemon(), scripted.renders("docs/a.py.in"):
        scripted.write("tools/words.py", "WORD = 'two'\n")
    assert scripted.output("a.py.out") == "two"


def test_a_module_of_the_project_stands_before_no_library(scripted: Project) -> None:
    scripted.write_all({"csv.py": "1 / 0\n", "yaml.py": "1 / 0\n"})
    scripted.build()
    assert scripted.output("a.py.out") == "A has 2 rows"


def test_a_function_that_raises_is_told_by_its_own_line(scripted: Project) -> None:
    scripted.write("tools/make.py", "def render(document):\n    raise LookupError('not in the shelf')\n")
    told = scripted.kahnd("build", code=1).told
    assert "tools/make.py:2" in told
    assert "not in the shelf" in told
    assert scripted.outputs() == {"b.txt": b"B"}


# each in a daemon


def test_a_dependency_found_while_rendering_is_followed_by_a_daemon(live: Daemon) -> None:
    project = live.project
    project.write_all(
        {
            "docs/found/_one.txt": "1",
            "docs/found/_two.txt": "2",
            "docs/found/which.json": '{"n": "one"}',
            "docs/found/a.txt": '{% set n = data("which.json").n %}{% include "_" ~ n ~ ".txt" %}',
        }
    )
    project.wait()
    assert project.output("found/a.txt") == "1"
    with project.renders("docs/found/a.txt"):
        project.write("docs/found/which.json", '{"n": "two"}')
    with project.renders("docs/found/a.txt"):
        project.write("docs/found/_two.txt", "zwei")
    with project.renders():
        project.write("docs/found/_one.txt", "eins")
    assert project.output("found/a.txt") == "zwei"
