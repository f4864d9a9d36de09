"""Documents that others declare, by the installed command and a running daemon."""

from __future__ import annotations

from typing import Final

import pytest

from e2e.harness import Project, eventually
from e2e.rules import COPIES, PAGES, SUMS, TEXTS, rule

TAGS: Final = """\
# Tags

{% for tag, posts in pages("posts/*.md", sort="title") | groupby_each("tags") %}
{% set text %}
{% for post in posts %}
- {{ post.title }}
{% endfor %}
{% endset %}
{{ declare("tags/" ~ tag ~ ".md", text, meta={"title": tag}) -}}
- [{{ tag }}](tags/{{ tag }}.md)
{% endfor %}
"""
ARCHIVE: Final = """\
{% for some in pages("posts/*.md", sort="title") | batch(3) %}
{{ declare("archive/" ~ loop.index ~ ".md", some | map(attribute="title") | join(" "), {"title": loop.index}) -}}
{{ page("archive/" ~ loop.index ~ ".md").title }} {{ page("archive/" ~ loop.index ~ ".md").url }}
{% endfor %}
"""
PLUGIN: Final = """\
def figures(document):
    for name in document.text.split():
        document.declare(f"{name}.txt", f"{name} {{{{ 1 + 1 }}}}")
        document.declare(f"data/{name}.json", b'{"a": 1}')
        document.declare(f"{name}.bin", name)
        document.declare(f"{name}.sum", f"needs data/{name}.json\\n")
    return document.text
"""
FIGURES: Final = rule("docs/**/*.fig", "python", "{dir}/{stem}.made", 'function = "figures:figures"\n')


def post(title: str, *tags: str, text: str = "") -> str:
    return f"---\ntitle: {title}\ntags: [{', '.join(tags)}]\n---\n{text}\n"


@pytest.fixture
def tagged(project: Project) -> Project:
    project.configure(PAGES, TEXTS, COPIES, SUMS, FIGURES)
    project.write_all(
        {
            "figures.py": PLUGIN,
            "docs/tags.md": TAGS,
            "docs/posts/a.md": post("A", "red"),
            "docs/posts/b.md": post("B", "blue", "red"),
            "docs/posts/c.md": post("C", "blue"),
        }
    )
    return project


def test_declared_documents_live_and_go_with_what_declares_them(tagged: Project) -> None:
    with tagged.daemon():
        assert {"tags.html", "tags/red.html", "tags/blue.html"} <= set(tagged.outputs())
        assert 'href="tags/red.html"' in tagged.output("tags.html")
        with tagged.renders("docs/posts/c.md", "docs/tags.md", "docs/tags/blue.md", "docs/tags/green.md"):
            tagged.write("docs/posts/c.md", post("C", "green"))
        with tagged.renders("docs/posts/c.md"):
            tagged.write("docs/posts/c.md", post("C", "green", text="other"))
        assert tagged.outputs() == tagged.fresh_outputs()
        edges = [(each["from"], each["to"], each["kind"]) for each in tagged.graph()["edges"]]
        assert ("docs/tags/green.md", "docs/tags.md", "declarer") in edges
        chain = tagged.kahnd("why", "docs/tags/green.md", "--json").json["chain"]
        assert chain == ["docs/posts/c.md", "docs/tags.md", "docs/tags/green.md"]
        with tagged.renders("docs/posts/c.md", "docs/tags.md"):
            tagged.write("docs/posts/c.md", post("C"))
        assert not tagged.exists("site/tags/green.html")
        assert "docs/tags/green.md" not in {each["id"] for each in tagged.graph()["nodes"]}
    with tagged.daemon():
        assert tagged.wait()["rendered"] == []
        tagged.remove("docs/tags.md")
        tagged.wait()
        assert not [each for each in tagged.outputs() if each.startswith("tags")]
        assert not tagged.exists(".kahnd/generated/docs")
    assert tagged.outputs() == tagged.fresh_outputs()


def test_a_generated_document_is_read_like_a_file(tagged: Project) -> None:
    tagged.write_all(
        {
            "docs/x.fig": "x y\n",
            "docs/uses.md": '{% include "x.bin" %} {{ data("data/x.json").a }} {{ output("x.txt").text }} [x](x.txt)',
        }
    )
    tagged.build()
    assert tagged.output("x.txt") == "x 2"
    assert "x 1 x 2" in tagged.output("uses.html")
    assert "docs/x.sum" in tagged.output("x.cksum").replace(".kahnd/generated/", "")
    assert "docs/data/x.json" in tagged.output("x.cksum").replace(".kahnd/generated/", "")
    with tagged.daemon():
        with tagged.renders("docs/x.fig"):
            tagged.write("docs/x.fig", "y x\n")
        with tagged.renders("docs/x.fig", "docs/z.txt", "docs/z.bin", "docs/z.sum"):
            tagged.write("docs/x.fig", "x y z\n")
        with tagged.renders("docs/x.fig", "docs/x.txt", "docs/uses.md"):
            tagged.write("figures.py", PLUGIN.replace("1 + 1", "1 + 2"))
            tagged.write("docs/x.fig", "x\n")
    assert tagged.outputs() == tagged.fresh_outputs()


def test_pages_of_three_grow_when_there_are_four_posts(tagged: Project) -> None:
    tagged.write("docs/archive.md", ARCHIVE)
    with tagged.daemon():
        assert "archive/1.html" in tagged.outputs()
        assert "1 archive/1.html" in tagged.output("archive.html")
        with tagged.renders("docs/posts/d.md", "docs/archive.md", "docs/archive/2.md", "docs/tags.md"):
            tagged.write("docs/posts/d.md", post("D"))
        assert tagged.outputs() == tagged.fresh_outputs()
        with tagged.renders("docs/archive.md", "docs/tags.md"):
            tagged.remove("docs/posts/d.md")
        assert "archive/2.html" not in tagged.outputs()


def test_two_declarers_and_a_file_in_the_way_are_told(tagged: Project) -> None:
    with tagged.daemon():
        tagged.write("docs/b.md", '{{ declare("tags/red.md", "mine") }}')
        failures = {each["document"]: each["error"] for each in tagged.wait(code=1)["failed"]}
        assert failures.keys() == {"docs/tags.md", "docs/b.md"}
        assert all("docs/b.md and docs/tags.md both declare docs/tags/red.md" in each for each in failures.values())
        tagged.remove("docs/b.md")
        tagged.wait()
        assert tagged.outputs() == tagged.fresh_outputs()
        tagged.write("docs/tags/red.md", "# Mine\n")
        (failure,) = tagged.wait(code=1)["failed"]
        assert failure["document"] == "docs/tags.md"
        assert "docs/tags.md declares docs/tags/red.md, which is a file of the project" in failure["error"]
        assert "Mine" in tagged.output("tags/red.html")
        tagged.remove("docs/tags/red.md")
        tagged.wait()
        assert tagged.outputs() == tagged.fresh_outputs()


def test_a_failure_of_a_generated_document_names_it_and_the_line_that_declares_it(tagged: Project) -> None:
    tagged.write("docs/bad.md", '# Bad\n\n{{ declare("worse.md", "one\\n\\n{{ nothing }}" | replace("[", "{")) }}')
    (failure,) = tagged.build(code=1)["failed"]
    assert failure["document"] == "docs/worse.md"
    assert failure["error"].startswith("docs/bad.md:3: ")
    assert "docs/worse.md:3" in failure["error"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../elsewhere/a.md", "is in none of the project's sources"),
        ("../../a.md", "leads out of the project"),
        ("bad.md", "it is the document that is rendered"),
        ("posts", "there is a folder of that name"),
    ],
)
def test_a_document_that_can_t_be_is_refused_where_it_is_declared(tagged: Project, path: str, said: str) -> None:
    tagged.write("docs/bad.md", f'# Bad\n{{{{ declare("{path}", "x") }}}}')
    (failure,) = tagged.build(code=1)["failed"]
    assert failure["error"].startswith("docs/bad.md:2: ")
    assert said in failure["error"]


def test_lost_and_altered_generated_documents_are_made_again(tagged: Project) -> None:
    with tagged.daemon():
        tagged.remove(".kahnd/generated/docs/tags/red.md")
        tagged.write(".kahnd/generated/docs/tags/blue.md", "altered\n")
        tagged.build()
        assert tagged.read(".kahnd/generated/docs/tags/red.md").startswith("---")
        assert tagged.read(".kahnd/generated/docs/tags/blue.md").startswith("---")
        assert tagged.outputs() == tagged.fresh_outputs()
    tagged.kahnd("clean")
    assert not tagged.exists(".kahnd/generated")
    tagged.build()
    assert tagged.outputs() == tagged.fresh_outputs()
    tagged.kahnd("clean", "--state")
    assert not tagged.exists(".kahnd")


def test_another_rule_for_generated_documents_is_taken_up(tagged: Project) -> None:
    tagged.build()
    tagged.configure(rule("docs/tags/*.md", "page", "t/{stem}.html"), PAGES)
    tagged.build()
    assert {"t/red.html", "t/blue.html"} <= set(tagged.outputs())
    assert "tags/red.html" not in tagged.outputs()
    assert 'href="t/red.html"' in tagged.output("tags.html")
    assert tagged.outputs() == tagged.fresh_outputs()


@pytest.mark.parametrize("what", ["published", "generated"])
def test_after_a_kill_between_declaring_and_rendering_the_next_start_goes_on(tagged: Project, what: str) -> None:
    gate = tagged.gate()
    tagged.configure(
        PAGES, rule("docs/**/*.sh", "command", "{dir}/{stem}.out", 'command = ["sh", "{source}", "{output}"]\n')
    )
    script = gate.script().replace('"', '\\"').replace("\n", "\\n")
    tagged.write("docs/slow.md", f'{{{{ declare("slow.sh", "{script}") }}}}' if what == "generated" else "slow")
    with tagged.daemon(settled=False) as daemon:
        if what == "generated":
            gate.reached()
        else:
            eventually(lambda: tagged.exists(".kahnd/generated/docs/tags/red.md"), "something is published")
        daemon.kill()
    gate.open()
    tagged.build()
    assert tagged.outputs() == tagged.fresh_outputs()
    assert tagged.build()["rendered"] == []


def test_what_a_failed_declarer_blocks_names_it_alone(tagged: Project) -> None:
    tagged.build()
    tagged.write("docs/tags.md", TAGS + "{{ fail('no') }}")
    blocked = {each["document"]: each["error"] for each in tagged.build(code=1)["blocked"]}
    assert blocked["docs/tags/red.md"] == "docs/tags/red.md: needs docs/tags.md, which failed"


def test_a_page_uses_an_output_beside_a_declared_documents_own(tagged: Project) -> None:
    beside = rule("docs/tags/*.md", "template", "{dir}/{stem}.txt", "also = true\n")
    tagged.configure(PAGES, beside)
    tagged.write("docs/uses.md", '{{ output("tags/red.md", format="txt").text }}')
    tagged.build()
    assert "<li>B</li>" in tagged.output("uses.html")
    assert tagged.outputs() == tagged.fresh_outputs()
