"""Pages: from Markdown with front matter to laid out HTML, what is read for it, and every way to fail."""

from __future__ import annotations

import os

import pytest

from kahnd.core.hashing import hash_bytes, hash_members
from kahnd.core.model import Dependency, DocumentId, Facet, Failed, Kind, Problem, Rendered, Unmet
from kahnd.render.renderers.parameters import PageParameters, TemplateParameters
from render.workshop import Workshop

LAYOUT = "<title>{{ page.title }}</title>{{ content }}"


def test_without_a_template_a_small_layout_has_title_and_text(shop: Workshop) -> None:
    shop.write("docs/a.md", "# Hello\n\nSome *text*.\n")
    html = shop.text("docs/a.md")
    assert "<title>Hello</title>" in html
    assert "<em>text</em>" in html


@pytest.mark.parametrize("text", ["---\rtitle: T\r---\r- a\r- b\r", "---\ntitle: T\n---\n- a\r- b\r"])
def test_a_carriage_return_alone_ends_a_line(shop: Workshop, text: str) -> None:
    shop.write("docs/a.md", text)
    html = shop.text("docs/a.md")
    assert "<title>T</title>" in html
    assert "<li>a</li>\n<li>b</li>" in html


def test_the_rules_template_lays_out_and_is_read(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="templates/page.html")))
    shop.write_all({"docs/a.md": "---\ntitle: A & B\n---\nText\n", "templates/page.html": LAYOUT})
    assert shop.text("docs/a.md") == "<title>A &amp; B</title><p>Text</p>\n"
    assert shop.reads("docs/a.md") == [("templates/page.html", Kind.TEMPLATE)]
    assert shop.scan("docs/a.md") == [("templates/page.html", Kind.TEMPLATE, 0)]


def test_front_matter_chooses_a_template_relative_to_the_page(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="templates/page.html")))
    shop.write_all(
        {"docs/in/a.md": "---\nx: 1\ntemplate: ../_own.html\n---\nText\n", "docs/_own.html": "own {{ content }}"}
    )
    assert shop.text("docs/in/a.md") == "own <p>Text</p>\n"
    assert shop.scan("docs/in/a.md") == [("docs/_own.html", Kind.TEMPLATE, 3)]


def test_a_layout_gets_front_matter_headings_and_the_way_to_the_top(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/in/a.md": "---\ntemplate: /templates/t.html\nauthor: Ann\n---\n# One\n## Two\n",
            "templates/t.html": "{{ page.author }} {{ page['author'] }} {{ root }}/s.css"
            "{% for each in toc %} {{ each.level }}{{ each.id }}{% endfor %} {{ page.url }} "
            "{{ page.get('no', 'none') }}",
        }
    )
    assert shop.text("docs/in/a.md") == "Ann Ann ../s.css 1one 2two a.html none"


def test_a_layout_can_extend_include_and_import(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/a.md": "---\ntemplate: /templates/t.html\n---\nText",
            "templates/t.html": '{% extends "base.html" %}{% import "m/macros.html" as m %}'
            "{% block main %}{{ m.loud('<b>') }}{{ content }}{% include 'foot.html' %}{% endblock %}",
            "templates/base.html": "[{% block main %}{% endblock %}]",
            "templates/m/macros.html": '{% macro loud(x) %}{% include "../foot.html" %}{{ x | upper }}!{% endmacro %}',
            "templates/foot.html": "foot",
        }
    )
    assert shop.text("docs/a.md") == "[foot&lt;B&gt;!<p>Text</p>\nfoot]"
    assert [target for target, _ in shop.reads("docs/a.md")] == [
        "templates/t.html",
        "templates/base.html",
        "templates/m/macros.html",
        "templates/foot.html",
    ]


def test_includes_are_relative_to_the_file_they_stand_in(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/a.md": '{% include "_p/one.md" %}\n',
            "docs/_p/one.md": 'One {{ data("d.csv")[0].x }} {{ page("../b.md").title }} {% include "two.md" %}',
            "docs/_p/two.md": "Two",
            "docs/_p/d.csv": "x\n7\n",
            "docs/b.md": "# Bee\n",
        }
    )
    assert "<p>One 7 Bee Two</p>" in shop.text("docs/a.md")
    assert shop.reads("docs/a.md") == [
        ("docs/_p/one.md", Kind.INCLUDE),
        ("docs/_p/d.csv", Kind.DATA),
        ("docs/b.md", Kind.PAGE),
        ("docs/_p/two.md", Kind.INCLUDE),
    ]
    assert set(shop.scan("docs/_p/one.md")) == {
        ("docs/_p/d.csv", Kind.DATA, 1),
        ("docs/b.md", Kind.PAGE, 1),
        ("docs/_p/two.md", Kind.INCLUDE, 1),
    }


def test_an_included_pages_front_matter_is_left_out(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '{% include "b.md" %}', "docs/b.md": "---\ntitle: B\n---\nBody\n"})
    assert "title" not in shop.text("docs/a.md").split("<body>")[1]


def test_a_loop_makes_table_rows(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/a.md": '| x |\n|---|\n{% for row in data("/data/d.csv") %}\n| {{ row.x }} |\n{% endfor %}\n\nEnd\n',
            "data/d.csv": "x\n1\n2\n",
        }
    )
    html = shop.text("docs/a.md")
    assert "<td>1</td>" in html
    assert "<td>2</td>" in html
    assert html.count("<table>") == 1


def test_without_templating_braces_stay_and_front_matter_counts(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(templating=False)))
    shop.write("docs/a.md", "---\ntitle: T\ndepends_on: [b.md]\n---\n{{ x }} {% include 'no.md' %}\n")
    shop.write("docs/b.md", "")
    html = shop.text("docs/a.md")
    assert "{{ x }} {% include 'no.md' %}" in html
    assert "<title>T</title>" in html
    assert shop.scan("docs/a.md") == [("docs/b.md", Kind.DECLARED, 3)]


def test_an_image_has_its_name_as_its_title_and_no_front_matter_and_no_text(shop: Workshop) -> None:
    shop.write("docs/a.png", b"\x89PNG\xff")
    shop.write(
        "docs/a.md", '{% for each in pages("*.png", sort="-date") %}{{ each.title }}{{ each.get("x") }}{% endfor %}'
    )
    assert "aNone" in shop.text("docs/a.md", "docs/*.png")
    shop.write("docs/b.md", '{{ page("a.png").text }}')
    assert "docs/a.png:1: not UTF-8" in str(shop.problem("docs/b.md"))
    shop.write("docs/bad.md", b"\xff")
    shop.write("docs/b.md", '{{ page("bad.md").title }}')
    assert "docs/bad.md:1: not UTF-8" in str(shop.problem("docs/b.md"))


def test_two_pages_can_name_each_other_and_themselves(shop: Workshop) -> None:
    shop.write("docs/a.md", '# A\n{{ page("b.md").title }} {{ page("a.md").title }}')
    shop.write("docs/b.md", '# B\n{{ page("a.md").title }} {{ page("a.md").text | length }}')
    assert "B A" in shop.text("docs/a.md")
    assert "A 53" in shop.text("docs/b.md")


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("---\ntitle: Given\n---\n# Heading\n", "Given"),
        ("---\ntitle: 7\n---\n", "7"),
        ("Text\n\n## *First* `heading` &amp; more\n# Second\n", "First heading & more"),
        ("```\n# code\n```\n\nSetext\n======\n", "Setext"),
        ("# {{ page.title }}\n", "b"),
        ("Nothing\n", "b"),
    ],
)
def test_a_title_is_given_or_the_first_heading_or_the_name(shop: Workshop, content: str, title: str) -> None:
    shop.write("docs/a.md", '[{{ page("b.md").title }}]')
    shop.write("docs/b.md", content)
    assert f"[{title}]" in shop.text("docs/a.md").replace("&amp;", "&")


def test_urls_are_relative_and_quoted(shop: Workshop) -> None:
    shop.write_all(
        {"docs/x/a.md": '{{ page("../y/b c.md").url }}', "docs/y/b c.md": "", "docs/z.md": '{{ page("y/b c.md").url }}'}
    )
    assert "<p>../y/b%20c.html</p>" in shop.text("docs/x/a.md")
    assert "<p>y/b%20c.html</p>" in shop.text("docs/z.md")


def test_the_url_of_a_plain_document_is_an_error_that_says_so(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '\n{{ page("_b.md").url }}', "docs/_b.md": ""})
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 2)
    assert "docs/_b.md is rendered by no rule" in problem.message


# collections


def _posts(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/posts/one.md": "---\ndate: 2026-01-05\n---\n# One\n",
            "docs/posts/two.md": "---\ndate: 2026-03-01\n---\n# Two\n",
            "docs/posts/undated.md": "# Undated\n",
            "docs/posts/_draft.md": "---\ndate: 2027-01-01\n---\n# Draft\n",
        }
    )


def test_a_collection_is_sorted_and_every_member_is_read(shop: Workshop) -> None:
    _posts(shop)
    shop.write(
        "docs/a.md", '{% for each in pages("posts/*.md", sort="-date") %}{{ each.title }}:{{ each.url }} {% endfor %}'
    )
    job = shop.job("docs/a.md", "docs/posts/*.md")
    outcome = shop.run(job)
    assert isinstance(outcome, Rendered)
    assert "Two:posts/two.html One:posts/one.html Undated:posts/undated.html" in (shop.root / job.stage).read_text()
    collection, *members = outcome.reads
    assert collection.dependency == Dependency(DocumentId("/docs/posts/*.md"), Kind.COLLECTION)
    assert collection.hash == hash_members(shop.files("docs/posts/*.md"))
    assert {each.dependency.kind for each in members} == {Kind.PAGE}
    assert [each.dependency.target for each in members] == [
        "docs/posts/one.md",
        "docs/posts/two.md",
        "docs/posts/undated.md",
    ]


def test_a_collection_that_is_not_given_is_asked_for(shop: Workshop) -> None:
    _posts(shop)
    shop.write("docs/a.md", '{% set what = "posts" %}{{ pages(what ~ "/*.md") | length }}')
    assert shop.unmet("docs/a.md").needs == Dependency(DocumentId("/docs/posts/*.md"), Kind.COLLECTION)
    assert "<p>3</p>" in shop.text("docs/a.md", "docs/posts/*.md")


def test_a_collection_outside_of_the_sources_is_reported_as_one(shop: Workshop) -> None:
    shop.write("docs/a.md", '{{ pages("/other/*.md") | length }}')
    assert shop.reads("docs/a.md") == [("/other/*.md", Kind.COLLECTION)]


# what is reported


def test_reads_have_the_hash_of_the_bytes_that_were_read(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '{% include "_b.md" %}', "docs/_b.md": "B"})
    (read,) = shop.outcome("docs/a.md").reads
    assert read.hash == hash_bytes(b"B")


def test_a_failure_reports_what_it_read_before(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '{% include "_b.md" %}{{ nothing }}', "docs/_b.md": "B"})
    assert shop.reads("docs/a.md") == [("docs/_b.md", Kind.INCLUDE)]


def test_what_may_be_missing_is_reported_as_read_without_a_hash(shop: Workshop) -> None:
    shop.write_all(
        {"docs/a.md": '{% include "_x.md" ignore missing %}{% include ["_y.md", "_b.md"] %}', "docs/_b.md": "B"}
    )
    reads = shop.outcome("docs/a.md").reads
    assert [(each.dependency.target, each.hash) for each in reads] == [
        ("docs/_x.md", None),
        ("docs/_y.md", None),
        ("docs/_b.md", hash_bytes(b"B")),
    ]
    assert [target for target, _, _ in shop.scan("docs/a.md")] == ["docs/_x.md", "docs/_y.md", "docs/_b.md"]


def test_a_document_that_changed_since_it_was_hashed_asks_to_be_run_again(shop: Workshop) -> None:
    shop.write("docs/a.md", "old")
    job = shop.job("docs/a.md")
    shop.write("docs/a.md", "new")
    outcome = shop.run(job)
    assert isinstance(outcome, Unmet)
    assert outcome.needs == Dependency(DocumentId("docs/a.md"), Kind.DISCOVERED)


def test_output_of_another_is_its_url_and_read_only_for_its_text(shop: Workshop) -> None:
    shop.write_all({"docs/in/a.md": '{{ output("../b.txt") }}', "docs/b.txt": "Bee"})
    shop.publish("docs/b.txt")
    assert "<p>../b.txt</p>" in shop.text("docs/in/a.md")
    assert [(each.dependency.kind, each.hash) for each in shop.outcome("docs/in/a.md").reads] == [(Kind.OUTPUT, None)]
    shop.write("docs/in/a.md", '{{ output("../b.txt").text }}')
    assert "<p>Bee</p>" in shop.text("docs/in/a.md")
    assert [each.hash for each in shop.outcome("docs/in/a.md").reads] == [hash_bytes(b"Bee")]


def test_an_output_that_is_not_there_is_needed(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '\n\n{{ output("b.txt") }}', "docs/b.txt": ""})
    unmet = shop.unmet("docs/a.md")
    assert unmet.needs == Dependency(DocumentId("docs/b.txt"), Kind.OUTPUT)
    assert (unmet.problem.file, unmet.problem.line) == ("docs/a.md", 3)


def test_an_output_of_a_document_that_is_not_there_is_missing_though_another_renders_to_its_place(
    shop: Workshop,
) -> None:
    shop.write_all({"docs/a.md": '{{ output("b.md") }}', "docs/b.md": ""})
    shop.publish("docs/b.md")
    (shop.root / "docs/b.md").unlink()
    assert shop.unmet("docs/a.md").needs == Dependency(DocumentId("docs/b.md"), Kind.OUTPUT)


def test_front_matter_declares_dependencies(shop: Workshop) -> None:
    shop.write_all(
        {"docs/a.md": "---\nx: 1\ndepends_on:\n  - b.md\n  - /data/d.csv\n---\n", "docs/b.md": "", "data/d.csv": ""}
    )
    expected = [("docs/b.md", Kind.DECLARED), ("data/d.csv", Kind.DECLARED)]
    assert shop.reads("docs/a.md") == expected
    assert shop.scan("docs/a.md") == [(*each, 3) for each in expected]
    (shop.root / "data/d.csv").unlink()
    assert shop.unmet("docs/a.md").needs == Dependency(DocumentId("data/d.csv"), Kind.DECLARED)


# what is missing


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{% include "_no.md" %}', Kind.INCLUDE),
        ('{% set x = "no" %}{% include "_" ~ x ~ ".md" %}', Kind.INCLUDE),
        ('{% include ["_neither.md", "_no.md"] %}', Kind.INCLUDE),
        ('{% import "_no.md" as m %}', Kind.INCLUDE),
        ('{{ data("_no.md") }}', Kind.DATA),
        ('{{ page("_no.md").title }}', Kind.PAGE),
    ],
)
def test_what_is_missing_is_needed_and_told_with_file_and_line(shop: Workshop, text: str, kind: Kind) -> None:
    shop.write("docs/a.md", f"---\ntitle: A\n---\n\n{text}\n")
    unmet = shop.unmet("docs/a.md")
    assert unmet.needs == Dependency(DocumentId("docs/_no.md"), kind)
    assert str(unmet.problem) == ("docs/a.md:5: needs docs/_no.md, which is not there (create it, or correct the path)")
    assert (unmet.reads[-1].dependency, unmet.reads[-1].hash) == (unmet.needs, None)


def test_what_a_partial_misses_is_told_with_the_partials_line(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '\n\n{% include "_p.md" %}', "docs/_p.md": '\n{% include "_no.md" %}'})
    problem = shop.unmet("docs/a.md").problem
    assert (problem.file, problem.line) == ("docs/_p.md", 2)


def test_a_missing_layout_is_told_where_it_is_asked_for(shop: Workshop) -> None:
    shop.write("docs/a.md", "---\ntemplate: no.html\n---\n")
    assert shop.unmet("docs/a.md").problem.line == 2
    shop.by(("docs/**/*.md", PageParameters(template="templates/no.html")))
    shop.write("docs/a.md", "")
    problem = shop.unmet("docs/a.md").problem
    assert (problem.file, problem.line) == ("kahnd.toml", 10)


# what fails


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("\n{% include '../../x.md' %}", 2, "out of the project"),
        ("\n{% include '/../x.md' %}", 2, "out of the project"),
        ("\n{{ data('/other/x.csv') }}", 2, "`sources`|other/x.csv"),
        ("---\na: 1\n---\n\n{% if x %}", 5, "endif"),
        ("---\na: 1\n---\n\n{{ nothing }}", 5, "'nothing' is undefined"),
        ("\n{{ page.nothing }}", 2, "nothing"),
        ("\n{{ 1 // 0 }}", 2, "ZeroDivisionError"),
        ("\n{{ ().__class__.__base__ }}", 2, "__class__"),
        ("\n{{ 1 | nofilter }}", 2, "nofilter"),
        ("\n{{ data(7) }}", 2, "7 is no path"),
        ("\n{{ data() }}", 2, "reference"),
        ("\n{{ pages('*.md', sort=1) }}", 2, ""),
        ("\n{{ output('_p.md') }}", 2, "no rule"),
        ("---\ntitle: A\nb: [\n---\n", 4, "front matter"),
        ("---\n- a: 1\n---\n", 2, "front matter"),
        ("---\ntitle: A\n", 1, "not closed"),
        ("---\nwhen: 2026-13-01\n---\n", 2, "month"),
        ("---\nx: 1\ndepends_on: 7\n---\n", 3, "depends_on"),
        ("---\nx: 1\ntemplate: 7\n---\n", 3, "7 is no path"),
        ("\n{% include 'a.md' %}", 2, "round without end"),
    ],
)
def test_a_failure_names_file_and_line_and_what_to_do(shop: Workshop, content: str, line: int, words: str) -> None:
    shop.write("docs/a.md", content)
    problem = shop.problem("docs/a.md", "docs/*.md")
    assert (problem.file, problem.line) == ("docs/a.md", line)
    assert all(word in str(problem) for word in words.split("|"))
    assert problem.remedy
    assert "Traceback" not in str(problem)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('page("b.md").author', "docs/b.md has no 'author'"),
        ("page.author", "docs/a.md has no 'author'"),
        ('(pages("b*.md") | first).author', "docs/b.md has no 'author'"),
        ('pages("b*.md") | map(attribute="author") | join', "docs/b.md has no 'author'"),
        ('"x".author', "a text has no 'author'"),
        ("1 .author", "a number has no 'author'"),
        ("[].author", "a list has no 'author'"),
        ("none.author", "nothing has no 'author'"),
        ("range.author", "a function has no 'author'"),
        ("author", "'author' is undefined"),
    ],
)
def test_front_matter_that_is_not_there_is_told_of_its_page(shop: Workshop, expression: str, message: str) -> None:
    shop.write_all({"docs/a.md": f"{{{{ {expression} }}}}", "docs/b.md": "B"})
    assert shop.problem("docs/a.md", "docs/b*.md").message == message


def test_an_error_in_a_partial_names_the_partial(shop: Workshop) -> None:
    shop.write("docs/a.md", '{% include "_p.md" %}')
    shop.write("docs/_p.md", "\n\n{{ nothing }}")
    assert (shop.problem("docs/a.md").file, shop.problem("docs/a.md").line) == ("docs/_p.md", 3)
    shop.write("docs/_p.md", "\n{% nonsense %}")
    assert (shop.problem("docs/a.md").file, shop.problem("docs/a.md").line) == ("docs/_p.md", 2)


def test_an_error_in_a_layout_names_the_layout(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": "---\ntemplate: /templates/t.html\n---\n", "templates/t.html": "\n{{ page.no }}"})
    assert (shop.problem("docs/a.md").file, shop.problem("docs/a.md").line) == ("templates/t.html", 2)


def test_bytes_that_are_no_text_are_told_with_their_place(shop: Workshop) -> None:
    shop.write("docs/a.md", b"# A\n\nna\xefve\n")
    assert str(shop.problem("docs/a.md")) == "docs/a.md:3: not UTF-8: byte 7 is 0xef (save it as UTF-8)"
    shop.write("docs/b.md", '{% include "a.md" %}')
    assert shop.problem("docs/b.md").file == "docs/a.md"


def test_a_link_out_of_the_project_is_refused(shop: Workshop) -> None:
    (shop.root / "docs").mkdir()
    (shop.root / "docs/_etc").symlink_to("/etc")
    shop.write("docs/a.md", "\n{% include '_etc/passwd' %}")
    assert str(shop.problem("docs/a.md")).startswith("docs/a.md:2: docs/_etc/passwd leads out of the project")


def test_a_named_pipe_is_no_source_and_holds_nothing_up(shop: Workshop) -> None:
    shop.write("docs/a.md", "\n{% include '_pipe' %}")
    os.mkfifo(shop.root / "docs/_pipe")
    assert "no regular file" in shop.problem("docs/a.md").message


def test_what_differs_from_run_to_run_is_not_offered(shop: Workshop) -> None:
    shop.write("docs/a.md", "{{ lipsum() }}")
    assert "lipsum" in shop.problem("docs/a.md").message
    shop.write("docs/a.md", "{{ [1, 2] | random }}")
    assert "random" in shop.problem("docs/a.md").message


def test_a_templates_own_name_hides_a_function(shop: Workshop) -> None:
    shop.write("docs/a.md", '{% macro data(x) %}mine {{ x }}{% endmacro %}{{ data("no.csv") }}')
    assert "mine no.csv" in shop.text("docs/a.md")
    assert shop.scan("docs/a.md") == []


def test_data_can_not_be_changed_by_a_template_that_shares_it(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '{% set _ = data("/data/d.json").append(1) %}', "data/d.json": "[]"})
    assert "append" in shop.problem("docs/a.md").message


def test_what_is_rendered_twice_by_one_renderer_follows_its_sources(shop: Workshop) -> None:
    """Whatever is kept between renderings is kept by content."""
    shop.write_all(
        {"docs/a.md": '{% include "_p.md" %}{{ page("b.md").title }}', "docs/_p.md": "1", "docs/b.md": "# B"}
    )
    assert "<p>1B</p>" in shop.text("docs/a.md")
    shop.write_all({"docs/_p.md": "2", "docs/b.md": "# C"})
    assert "<p>2C</p>" in shop.text("docs/a.md")


PARTS = "---\ntitle: Bee\ndate: 2026-01-02\n---\nText\n"


@pytest.mark.parametrize(
    ("uses", "facets"),
    [
        ("{% set b = page('b.md') %}", set()),
        ("{{ page('b.md').path }}", set()),
        ("{{ page('b.md').title }}", {"title"}),
        ("{{ page('b.md') }}", {"title"}),
        ("{{ page('b.md').url }}", {"url"}),
        ("{{ page('b.md').text }}", {"text"}),
        ("{{ page('b.md').date }}", {"front_matter"}),
        ("{{ page('b.md').get('none') }}", {"front_matter"}),
        ("{{ page('b.md').url }} {% for n in 'ab' %}{{ page('b.md').title }}{% endfor %}", {"title", "url"}),
        ("{% for p in pages('b*.md', sort='title') %}{{ p.url }}{% endfor %}", {"title", "url"}),
        ("{% for p in pages('b*.md', sort='-date') %}x{% endfor %}", {"front_matter"}),
        ("{{ output('b.md') }}", {"url"}),
        ("{{ output('b.md').url }}", {"url"}),
        ("{{ output('b.md').text }}", {"output"}),
        ("{{ output('b.md').text }}{{ output('b.md') }}", {"output", "url"}),
    ],
)
def test_what_is_used_of_another_document_is_in_the_account(shop: Workshop, uses: str, facets: set[str]) -> None:
    shop.write_all({"docs/a.md": uses, "docs/b.md": PARTS, "site/b.html": "B"})
    reads = shop.outcome("docs/a.md", "docs/b*.md").reads
    used = [each.dependency.facets for each in reads if each.dependency.target == "docs/b.md"]
    assert [None if each is None else set(map(str, each)) for each in used] == [facets]


def test_what_is_included_or_read_as_data_is_used_as_a_whole(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": "{% include 'b.md' %}{{ data('c.csv') }}", "docs/b.md": PARTS, "docs/c.csv": "x\n1\n"})
    assert [each.dependency.facets for each in shop.outcome("docs/a.md").reads] == [None, None]


def test_its_own_parts_are_no_dependency(shop: Workshop) -> None:
    shop.write("docs/a.md", PARTS + "{{ page.title }} {{ page.url }} {{ page.date }}")
    assert shop.reads("docs/a.md") == []


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        (PARTS, set()),
        (PARTS.replace("Text", "Other"), {"text"}),
        (PARTS.replace("Bee", "Cee"), {"front_matter", "title"}),
        (PARTS.replace("date: 2026-01-02", "date: 2026-01-03"), {"front_matter"}),
        ("# Bee\n", {"front_matter", "text"}),
        ("# Cee\n", {"front_matter", "text", "title"}),
    ],
)
def test_a_scan_tells_the_facets_apart(shop: Workshop, after: str, changed: set[str]) -> None:
    before, now = shop.facets("docs/a.md", PARTS), shop.facets("docs/a.md", after)
    assert before is not None
    assert {
        each for each in ("front_matter", "text", "title") if getattr(before, each) != getattr(now, each)
    } == changed


def test_a_broken_page_has_no_facets(shop: Workshop) -> None:
    assert shop.facets("docs/a.md", "---\ntitle: [\n---\n") is None
    assert shop.facets("docs/a.md", "---\ntitle: x\n") is None


def test_a_page_whose_front_matter_is_broken_still_has_an_address(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": "at {{ page('b.md').url }}", "docs/b.md": "---\ntitle: [\n---\n"})
    assert "at b.html" in shop.text("docs/a.md")


@pytest.mark.parametrize(
    ("layout", "facets"),
    [
        ("{{ output('/docs/b.md') }}", {"url"}),
        ("{{ output('/docs/b.md').url }}", {"url"}),
        ("{{ output('/docs/b.md').text }}", {"output"}),
        ("{{ output('/docs/b.md') }}{{ output('/docs/b.md').text }}", {"output", "url"}),
        ("{{ output('/docs/b.md') | e }}", None),
        ("{% set b = output('/docs/b.md') %}", None),
        ("{{ output('/docs/b.md') }}{% set b = output('/docs/b.md') %}", None),
    ],
)
def test_what_a_partial_uses_of_an_output_is_told_where_it_is_plain_to_see(
    shop: Workshop, layout: str, facets: set[str] | None
) -> None:
    shop.write("docs/_part.md", layout)
    used = [each.facets for each in shop.scanned("docs/_part.md").dependencies]
    assert [None if each is None else set(map(str, each)) for each in used] == [facets]


def test_more_patterns_than_the_daemon_takes_are_a_failure_with_the_line(shop: Workshop) -> None:
    shop.write("docs/a.md", "\n{% for n in range(300) %}{{ pages('x%d*.md' % n) | length }}{% endfor %}")
    problem = shop.problem("docs/a.md", *(f"docs/x{n}*.md" for n in range(300)))
    assert "more than 200 patterns of pages()" in problem.message
    assert (problem.file, problem.line) == ("docs/a.md", 2)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("{#\n# Not this\n#}\n\n# This {# nor this #}\n", "This"),
        ("{% raw %}\n\n# A {# b #} c\n{% endraw %}\n", "A {# b #} c"),
        ("```\n{# x\n```\n\n# This {#id}\n", "This"),
    ],
)
def test_a_title_is_read_from_the_text_without_comments(shop: Workshop, body: str, title: str) -> None:
    shop.write("docs/b.md", body)
    shop.write("docs/a.md", '{{ page("b.md").title }}')
    assert f"<p>{title}</p>" in shop.text("docs/a.md")
    assert f"<title>{title}</title>" in shop.text("docs/b.md")


def test_a_title_keeps_what_is_no_comment_where_there_is_no_templating(shop: Workshop) -> None:
    shop.by(("docs/a.md", PageParameters()), ("docs/b.md", PageParameters(templating=False)))
    shop.write("docs/b.md", "# A {# b #} c\n")
    shop.write("docs/a.md", '{{ page("b.md").title }}')
    assert "<title>A {# b #} c</title>" in shop.text("docs/b.md")
    assert "<p>A {# b #} c</p>" in shop.text("docs/a.md")


@pytest.mark.parametrize(
    "code", ['"\\ud83d"', '"%c" % 55357', '"{:c}".format(55357)', '"\\ud83d" ~ 1', '["\\ud83d"] | join']
)
def test_half_a_character_is_told_with_its_line(shop: Workshop, code: str) -> None:
    shop.write("docs/a.md", f"x\n\n{{{{ {code} }}}}\n")
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 3)
    assert "half a character" in problem.message


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("a\n\n    x {# y #} z\n", "<p>a</p>\n<pre><code>x {# y #} z\n</code></pre>"),
        ("\tx {# y #} z\n\n\tq {# r #}\n", "<pre><code>x {# y #} z\n\nq {# r #}\n</code></pre>"),
        ("- a\n\n    x {# y #}\n", "<p>x</p>"),
        ("[^1]\n\n[^1]: a\n\n    x{# y #}z\n", "<p>xz</p>"),
        ("a\n    x{# y #}z\n", "<p>a\nxz</p>"),
        ("- a\n\nb\n\n    x {# y #}\n", "<pre><code>x {# y #}\n</code></pre>"),
        ("{% if true %}\n\n    {# y\n    z #}\n    {% set x = 1 %}\n\n{% endif %}\n{{ x }}\n", "<body>\n<p>1</p>"),
    ],
)
def test_code_by_indentation_keeps_its_text(shop: Workshop, body: str, html: str) -> None:
    shop.write("docs/a.md", body)
    assert html in shop.text("docs/a.md")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A\n\n{{#include a.rs}}\n", 3),
        ("A\n\nWrite {% highlight %} there\n", 3),
        ("A\n\n{{ user.name }}\n", 3),
        ("A\n\n```\n{{#each items}}\n```\n", 4),
        ("A\n\n    {% for %}\n", 3),
        ("A\n\n`{{ user }}`\n", 3),
    ],
)
def test_an_error_about_braces_tells_how_to_write_them_as_text(shop: Workshop, text: str, line: int) -> None:
    shop.write("docs/a.md", f"---\nt: 1\n---\n{text}")
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", line + 3)
    assert "{% raw %}" in problem.remedy
    assert "`templating = false`" in problem.remedy


@pytest.mark.parametrize(("path", "text"), [("docs/a.txt", "{{ nothing }}"), ("docs/a.md", "{{ 1 / 0 }}")])
def test_other_errors_do_not(shop: Workshop, path: str, text: str) -> None:
    shop.write(path, text)
    assert "raw" not in shop.problem(path).remedy


# remarks


def test_a_page_warns_with_the_lines_of_its_calls_and_prints_nothing_for_it(shop: Workshop) -> None:
    shop.write(
        "docs/a.md", "---\ntitle: A\n---\none{{ warn('no date') }}\n\n{{ warn('is long') }}two\n{{ warn('is long') }}"
    )
    shop.write("docs/_part.md", "{% if true %}\n{{ warn('odd') }}\n{% endif %}")
    outcome = shop.outcome("docs/a.md")
    assert isinstance(outcome, Rendered)
    assert [(each.message, each.file, each.line) for each in outcome.warnings] == [
        ("no date", "docs/a.md", 4),
        ("is long", "docs/a.md", 6),
        ("is long", "docs/a.md", 7),
    ]
    shop.write("docs/a.md", "{% include '_part.md' %}{% include '_part.md' %}")
    outcome = shop.outcome("docs/a.md")
    assert isinstance(outcome, Rendered)
    assert [str(each) for each in outcome.warnings] == ["docs/_part.md:2: odd"]


def test_a_page_that_fails_by_its_own_word_says_so_and_has_read_what_it_had_read(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": "\n{% if page('b.md').price < 0 %}\n{{ fail('below ' ~ 0) }}{% endif %}"})
    shop.write("docs/b.md", "---\nprice: -1\n---\n")
    outcome = shop.outcome("docs/a.md")
    assert isinstance(outcome, Failed)
    assert outcome.problem == Problem("below 0", "docs/a.md", 3)
    (read,) = outcome.reads
    assert read.dependency.target == "docs/b.md"
    assert read.dependency.facets == frozenset({Facet.FRONT_MATTER})


def test_a_layout_and_a_text_template_can_warn_and_fail(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="templates/page.html")), ("docs/*.txt", TemplateParameters()))
    shop.write_all({
        "docs/a.md": "text",
        "templates/page.html": "{{ content }}\n{{ warn('<i>') }}\n",
        "docs/a.txt": "\n{{ fail(nothing) }}",
        "docs/b.txt": "{{ warn(page) }}",
    })  # fmt: skip
    outcome = shop.outcome("docs/a.md")
    assert isinstance(outcome, Rendered)
    assert [str(each) for each in outcome.warnings] == ["templates/page.html:2: <i>"]
    assert shop.problem("docs/a.txt").message == "'nothing' is undefined"
    outcome = shop.outcome("docs/b.txt")
    assert isinstance(outcome, Rendered)
    assert [str(each) for each in outcome.warnings] == ["docs/b.txt:1: the message of warn() is no text"]


def test_a_name_of_the_pages_own_hides_a_remark(shop: Workshop) -> None:
    shop.write("docs/a.md", "{% macro warn(of) %}own {{ of }}{% endmacro %}{{ warn('x') }}")
    assert "own x" in shop.text("docs/a.md")
