"""Links in pages: which become links to outputs, which are reported, and what each depends on."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from kahnd.core.hashing import MAX_IDS, PRESENT, edge_hash, hash_bytes, hash_id
from kahnd.core.model import (
    Dependency,
    DocumentId,
    Facet,
    Facets,
    Facts,
    Kind,
    KnownLinks,
    OutputPath,
    Problem,
    Rendered,
)
from kahnd.core.output_paths import MAX_FACETS, anchor_facet
from kahnd.core.problem import MAX_WARNINGS
from kahnd.render.markdown.links import MAX_LINKS, link_to
from kahnd.render.renderers.parameters import CopyParameters, PageParameters, TemplateParameters
from render.workshop import Workshop

PAGES = ("docs/**/*.md", PageParameters())


def _links(html: str) -> list[str]:
    return re.findall(r"(?i)(?:href|src|poster) ?= ?[\"']?([^\"'>]*)", html.partition("<body>")[2])


def _warnings(shop: Workshop, document: str) -> list[str]:
    return [str(each) for each in _problems(shop, document)]


def _problems(shop: Workshop, document: str) -> Iterable[Problem]:
    outcome = shop.outcome(document)
    assert isinstance(outcome, Rendered), outcome
    return outcome.warnings


def _edges(shop: Workshop, document: str) -> dict[str, tuple[set[str], str | None]]:
    reads = [each for each in shop.outcome(document).reads if each.dependency.kind is Kind.LINK]
    return {each.dependency.target: (_names(each.dependency), each.hash) for each in reads}


def _scanned(shop: Workshop, document: str) -> dict[str, set[str]]:
    found = [each for each in shop.scanned(document).dependencies if each.kind is Kind.LINK]
    return {each.target: _names(each) for each in found}


def _names(dependency: Dependency) -> set[str]:
    return {str(each) for each in dependency.facets or ()}


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("[x](b.md)", "../in/b.html"),
        ("[x](./b.md?q=1&r#part)", "b.html?q=1&amp;r#part"),
        ("[x][r]\n\n[r]: ../top.md 'title'", "../top.html"),
        ("[x](/docs/top.md)", "../top.html"),
        ("[x](/top.md)", "../top.html"),
        ("[x](/data/sheet.css)", "../sheet.css"),
        ("[x](../../data/sheet.css)", "../sheet.css"),
        ("![x](pic.css)", "pic.css"),
        ("![x](<my pic.css>)", "my%20pic.css"),
        ("[x](ü%20%C3%BC.md)", "%C3%BC%20%C3%BC.html"),
        ("[x](../sub/)", "../sub/index.html"),
        ("[x](..)", "../index.html"),
        ("[x](a.md)", "a.html"),
        ("<a class=k href=b.md title='t'>x</a>", "b.html"),
        ("text <A HREF = 'b.md#part'>x</A>", "b.html#part"),
        ("<video poster=pic.css src='pic.css'></video>", "pic.css"),
        ('<img alt="a > b" src="pic.css" src="b.md">', "pic.css"),
    ],
)
def test_a_link_to_a_source_becomes_the_url_of_its_output(shop: Workshop, written: str, url: str) -> None:
    shop.by(PAGES, ("{docs,data}/**/*.css", CopyParameters()))
    shop.write_all(
        {
            "docs/in/a.md": f"{written}\n",
            "docs/in/b.md": "# Part\n",
            "docs/in/pic.css": "",
            "docs/in/my pic.css": "",
            "docs/in/ü ü.md": "",
            "docs/top.md": "",
            "docs/index.md": "",
            "docs/sub/index.md": "",
            "data/sheet.css": "",
        }
    )
    html = shop.text("docs/in/a.md")
    assert url.replace("../in/", "") in _links(html)
    assert _warnings(shop, "docs/in/a.md") == []


@pytest.mark.parametrize(
    "written",
    [
        "[x](https://example.org/b.md)",
        "[x](mailto:b.md@example.org)",
        "[x](//example.org/b.md)",
        "<https://example.org/b.md>",
        '<a href="data:b.md">x</a>',
        '<a href="\\\\example.org\\b.md">x</a>',
        '<a href=" b.md">x</a>',
        "[x](#)",
        "[x](#top)",
        "[x](?page=2)",
        "[x](#:~:text=word)",
        "[x](#/route)",
        "`[x](no.md)`",
        "```html\n<a href='no.md'>\n```",
        '<!-- <a href="no.md">x</a> -->',
        "<script>\n'<a href=\"no.md\">'\n</script>",
        "<p title='<a href=no.md>'>x</p>",
        "<a data-href='no.md'>x</a>",
        "<code>href='no.md'</code>",
    ],
)
def test_other_links_and_other_texts_stay_as_they_are(shop: Workshop, written: str) -> None:
    shop.by(("docs/**/*.md", PageParameters(links="off")))
    shop.write_all({"docs/a.md": f"{written}\n", "docs/b.md": ""})
    untouched = shop.text("docs/a.md")
    shop.by(PAGES)
    assert shop.text("docs/a.md") == untouched
    assert _warnings(shop, "docs/a.md") == []
    assert _edges(shop, "docs/a.md") == {}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[x](no.md)", "docs/a.md:2: the link to no.md leads nowhere: there is no docs/no.md"),
        ("![x](no.png)", "docs/a.md:2: the link to no.png leads nowhere: there is no docs/no.png"),
        ("[x][r]\n\n[r]: no.md", "docs/a.md:4: the link to no.md leads nowhere"),
        ("<b>b</b> <a href='no.md'>x</a>", "docs/a.md:2: the link to no.md leads nowhere"),
        ("[x](<no no.md>)", "docs/a.md:2: the link to no%20no.md leads nowhere: there is no docs/no no.md"),
        ("[x](in)", "docs/a.md:2: the link to in leads nowhere: there is no docs/in"),
        ("[x](in/)", "docs/a.md:2: the link to in/ leads nowhere: there is no docs/in/index.md"),
        ("[x](B.md)", "there is docs/b.md, which differs by case"),
        ("[x](plain.png)", "no rule puts docs/plain.png into the output folder"),
        ("[x](_part.md)", "no rule puts docs/_part.md into the output folder"),
        ("[x](../LICENSE)", "docs/a.md:2: the link to ../LICENSE leads nowhere (correct the link; it can lead to"),
        ("[x](../../other/x.html)", "docs/a.md:2: the link to ../../other/x.html leads nowhere"),
        ("[x](no.html)", "docs/a.md:2: the link to no.html leads nowhere"),
        ("[x](#no)", "docs/a.md:2: the link to #no leads nowhere: this page has no 'no'"),
        ("# Part\n\n[x](#parts)", 'did you mean "#part"?'),
        ("[x](b.md#no)", "docs/a.md:2: the link to b.md#no leads nowhere: docs/b.md has no 'no'"),
        ("[x](b.md#headin)", 'did you mean "#heading"?'),
    ],
)
def test_a_link_that_leads_nowhere_is_reported_with_its_line_and_a_remedy(
    shop: Workshop, written: str, message: str
) -> None:
    shop.write_all(
        {
            "docs/a.md": f"Text.\n{written}\n",
            "docs/b.md": "# Heading\n",
            "docs/plain.png": "",
            "docs/_part.md": "",
            "docs/in/x.md": "",
            "LICENSE": "",
        }
    )
    (warning,) = _warnings(shop, "docs/a.md")
    assert message in warning
    assert "(" in warning  # the remedy


def test_front_matter_counts_in_the_line(shop: Workshop) -> None:
    shop.write("docs/a.md", "---\ntitle: no.md\n---\n\nSee no.md:\n[x](no.md)\n")
    assert [each.line for each in _problems(shop, "docs/a.md")] == [6]


def test_a_link_in_an_included_file_is_relative_to_the_page_and_reported_where_it_is(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/in/a.md": '{% include "../_parts/p.md" %}\n',
            "docs/_parts/p.md": "[x](b.md)\n\n[y](no.md)\n",
            "docs/in/b.md": "",
        }
    )
    assert _links(shop.text("docs/in/a.md")) == ["b.html", "no.md"]
    assert [(each.file, each.line) for each in _problems(shop, "docs/in/a.md")] == [("docs/_parts/p.md", 3)]
    assert _scanned(shop, "docs/_parts/p.md") == {}


def test_links_can_be_an_error_that_names_the_first_and_counts_the_others(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(links="error")))
    shop.write("docs/a.md", "[x](no.md)\n[y](#no)\n")
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 1)
    assert "leads nowhere" in problem.message
    assert "(and 1 more)" in problem.message
    assert shop.reads("docs/a.md") == [("docs/no.md", Kind.LINK), ("site/no.md", Kind.LINK)]
    shop.write("docs/a.md", "fine\n")
    assert "fine" in shop.text("docs/a.md")


def test_switched_off_links_stay_and_are_no_dependencies(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(links="off")))
    shop.write_all({"docs/a.md": "[x](b.md) [y](no.md)\n", "docs/b.md": ""})
    assert _links(shop.text("docs/a.md")) == ["b.md", "no.md"]
    assert _edges(shop, "docs/a.md") == {}
    assert _scanned(shop, "docs/a.md") == {}


# The dependencies of links


def _has(name: str) -> str:
    return anchor_facet(hash_id(name))


def test_a_link_depends_on_the_url_and_one_to_a_part_on_that_id(shop: Workshop) -> None:
    content = "# Part\n"
    shop.write_all(
        {
            "docs/a.md": "[1](b.md) [2](c.md#part) [3](no.md) [4](c.md) [5](a.md#x) [6](#y)\n\n## x\n## y\n",
            "docs/b.md": "",
            "docs/c.md": content,
        }
    )
    assert _edges(shop, "docs/a.md") == {
        "docs/b.md": ({"url"}, PRESENT),
        "docs/c.md": ({"url", _has("part")}, hash_bytes(content.encode())),
        "docs/no.md": ({"url"}, None),
        "site/no.md": ({"url"}, None),
    }
    assert _scanned(shop, "docs/a.md") == {
        "docs/b.md": {"url"},
        "docs/c.md": {"url", _has("part")},
        "docs/no.md": {"url"},
    }


def test_scanning_finds_links_where_they_seem_to_be_and_no_templated_ones(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/a.md": "[1](b.md 'title') [2](<b b.md>) `[3](c.md)` [4]({{ root }}/x.md) [5](%7B%7Broot%7D%7D/y.md)\n"
            "\n[6]: d.md\n> [7]: e.html#x\n<img src=f.css> <a href='https://example.org'>\n[8](http://x.md)\n",
        }
    )
    assert set(_scanned(shop, "docs/a.md")) == {
        "docs/b.md",
        "docs/c.md",
        "docs/d.md",
        "docs/b b.md",
        "docs/e.html",
        "docs/f.css",
    }


def test_a_link_to_an_output_stays_and_depends_on_it(shop: Workshop) -> None:
    shop.write_all(
        {"docs/in/a.md": "[x](../b.html) [y](../sub) [z](a.html)\n", "docs/b.md": "", "docs/sub/index.md": ""}
    )
    assert _links(shop.text("docs/in/a.md")) == ["../b.html", "../sub", "a.html"]
    assert _edges(shop, "docs/in/a.md") == {
        "docs/b.html": ({"url"}, None),
        "docs/sub": ({"url"}, None),
        "docs/in/a.html": ({"url"}, None),
        "site/b.html": ({"url"}, PRESENT),
        "site/sub": ({"url"}, None),
        "site/sub/index.html": ({"url"}, PRESENT),
    }
    assert _warnings(shop, "docs/in/a.md") == []


def test_a_part_of_an_output_is_looked_for_in_the_source_that_renders_to_it(shop: Workshop) -> None:
    text = "[1](b.html#there) [2](/b.html#gone) [3](/sub/index.html#gone) [4](a.html#own)\n"
    shop.write_all({"docs/a.md": text, "docs/b.md": "# There\n", "docs/sub/index.md": "# There\n"})
    assert [each.message.partition(":")[0] for each in _problems(shop, "docs/a.md")] == [
        "the link to a.html#own leads nowhere",
        "the link to /b.html#gone leads nowhere",
        "the link to /sub/index.html#gone leads nowhere",
    ]
    assert _edges(shop, "docs/a.md")["docs/b.md"] == (
        {"url", _has("there"), _has("gone")},
        hash_bytes(b"# There\n"),
    )


def test_the_job_knows_better_than_the_disk(shop: Workshop) -> None:
    """A file may be ignored, or not be noticed yet; a document's output may not be there yet."""
    shop.write_all({"docs/a.md": "[1](b.md) [2](odd.txt) [3](c.html)\n", "docs/b.md": "", "site/odd.txt": ""})
    dead = tuple(map(DocumentId, ("docs/b.md", "docs/odd.txt", "site/odd.txt")))
    job = replace(shop.job("docs/a.md"), links=KnownLinks((OutputPath("site/c.html"),), dead))
    outcome = shop.run(job)
    assert isinstance(outcome, Rendered)
    known: dict[str, str | None] = {each.dependency.target: each.hash for each in outcome.reads}
    assert known["docs/b.md"] is None
    assert known["site/odd.txt"] is None
    assert known["site/c.html"] == PRESENT


def test_a_url_that_a_function_gave_is_no_further_dependency(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '<a href="{{ page("b.md").url }}">x</a>\n', "docs/b.md": ""})
    assert _links(shop.text("docs/a.md")) == ["b.html"]
    assert shop.reads("docs/a.md") == [("docs/b.md", Kind.PAGE)]


def test_a_source_is_not_there_because_another_renders_to_its_place(shop: Workshop) -> None:
    shop.by(("docs/in/*.md", PageParameters(clean_urls=True)), PAGES)
    shop.write_all({"docs/in/b.md": "", "docs/a.md": "[x](in/b/)\n"})
    assert _links(shop.text("docs/a.md")) == ["in/b/"]
    assert _edges(shop, "docs/a.md") == {
        "docs/in/b/index.md": ({"url"}, None),
        "site/in/b/index.html": ({"url"}, PRESENT),
    }


def test_a_link_and_a_title_of_one_page_are_two_dependencies(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": '{{ page("b.md").title }} [x](b.md#b)\n', "docs/b.md": "# B\n"})
    assert shop.reads("docs/a.md") == [("docs/b.md", Kind.PAGE), ("docs/b.md", Kind.LINK)]


# Anchors


@pytest.mark.parametrize(
    "text",
    [
        "Part\n====\n",
        "## A {#part}\n",
        "<a name=part></a>\n",
        "<p ID='part'>x</p>\n",
        "{% if x %}\n# Perhaps\n{% endif %}\n",
        '{% include "_more.md" %}\n',
        "---\ntemplate: /templates/other.html\n---\nIts layout may have it.\n",
        "---\nbroken: [\n---\n",
        b"\xff",
    ],
)
def test_an_anchor_is_missed_only_where_the_source_shows_all(shop: Workshop, text: str | bytes) -> None:
    shop.write_all({"docs/a.md": "[x](b.md#part)\n", "docs/_more.md": "", "templates/other.html": "{{ content }}"})
    shop.write("docs/b.md", text)
    assert _warnings(shop, "docs/a.md") == []


def test_anchors_are_compared_as_readers_see_them(shop: Workshop) -> None:
    shop.write_all(
        {"docs/a.md": "[x](b.md#u%CC%88ber) [y](#%C3%BCber)\n\n# u\u0308ber\n", "docs/b.md": "# \u00fcber\n"}
    )
    assert _warnings(shop, "docs/a.md") == []


def test_the_layouts_ids_are_those_of_all_its_pages(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="templates/t.html")))
    shop.write_all(
        {
            "docs/a.md": "[1](#foot) [2](b.md#foot) [3](b.md#no) [4](#no)\n",
            "docs/b.md": "",
            "templates/t.html": '{{ content }}{% include "foot.html" %}',
            "templates/foot.html": '<p id="foot">',
        }
    )
    warnings = _warnings(shop, "docs/a.md")
    assert ["leads nowhere" in each for each in warnings] == [True, True]
    assert "foot" not in "".join(warnings)
    shop.write("templates/foot.html", '<p id="{{ page.title }}">')
    warned = "".join(_warnings(shop, "docs/a.md"))
    assert "this page has no 'no'" in warned
    assert "docs/b.md" not in warned


def _anchors(shop: Workshop, text: str) -> str:
    facets = shop.facets("docs/x.md", text)
    assert isinstance(facets, Facets)
    return facets.anchors


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("# A\n\ntext\n", "# A\n\nother\n"),
        ("# A\n\n<b>text</b>\n", "# A\n\n<i>other</i>\n"),
        ("---\ntitle: x\n---\n# A\n", "---\ntitle: y\n---\n# A\n"),
    ],
)
def test_an_edit_of_the_text_leaves_the_anchors(shop: Workshop, one: str, other: str) -> None:
    assert _anchors(shop, one) == _anchors(shop, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("# A\n", "# B\n"),
        ("# A\n# A\n", "# A\n"),
        ("text\n", "text\n===\n"),
        ("# A\n", "```\n# A\n```\n"),
        ("# A\n", "# A {#b}\n"),
        ("<p>\n", "<p id=x>\n"),
        ("x[^1]\n\n[^1]: note\n", "x\n"),
        ("# A\n", "# A\n{{ x }}\n"),
        ("# A\n", "---\ntemplate: t.html\n---\n# A\n"),
    ],
)
def test_whatever_changes_the_ids_changes_the_anchors(shop: Workshop, one: str, other: str) -> None:
    assert _anchors(shop, one) != _anchors(shop, other)


# Bounds


def test_the_number_of_links_is_bounded(shop: Workshop) -> None:
    shop.write("docs/a.md", "\n".join(f"[x](x{number}.md)" for number in range(MAX_LINKS + 1)))
    assert "has links to more than 10,000 places" in shop.problem("docs/a.md").message
    assert len(_scanned(shop, "docs/a.md")) == MAX_LINKS


@pytest.mark.parametrize("part", ["[x](", "](", "<a href=", "<a href='", "[r]: ", "href=", "](a.md", "<a ", "%", "#"])
def test_links_are_found_in_linear_time(shop: Workshop, part: str) -> None:
    shop.write("docs/a.md", part * 60_000)
    started = time.process_time()
    shop.scanned("docs/a.md")
    shop.outcome("docs/a.md")
    assert time.process_time() - started < 20


def test_one_wrong_url_can_be_long(shop: Workshop) -> None:
    shop.write("docs/a.md", f"[x]({'y' * 5000}.md) [z]({'../' * 500}z.md)\n")
    assert [len(each) < 1500 for each in _warnings(shop, "docs/a.md")] == [True, True]


def test_facets_of_links_are_united(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": "[x](b.md) [y](b.md#b)\n", "docs/b.md": "# B\n"})
    (found,) = [each for each in shop.scanned("docs/a.md").dependencies if each.kind is Kind.LINK]
    assert found.facets == frozenset({"url", _has("b")})


# Clean URLs


def test_clean_urls_end_with_the_folder(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(clean_urls=True)), ("docs/**/*.txt", TemplateParameters()))
    urls = "{{ page.url }} {{ page('/docs/in/b.md').url }} {{ page('/docs/index.md').url }} {{ page('index.md').url }}"
    shop.write_all(
        {
            "docs/in/a.md": f"[1](b.md#b) [2](../index.md) [3](a.md) [4](.) [5](../b/) [6](../t.txt)\n\n{urls}\n",
            "docs/in/b.md": "# B\n",
            "docs/in/index.md": "",
            "docs/index.md": "",
            "docs/t.txt": "{{ page('in/b.md').url }}",
        }
    )
    html = shop.text("docs/in/a.md")
    assert _links(html) == ["../b/#b", "../../", "./", "../", "../b/", "../../t.txt"]
    assert "<p>./ ../b/ ../../ ../</p>" in html
    assert shop.text("docs/t.txt") == "in/b/"
    assert _warnings(shop, "docs/in/a.md") == []
    assert {each: shop.layout.output_of(DocumentId(each)) for each in ("docs/in/b.md", "docs/in/index.md")} == {
        "docs/in/b.md": "site/in/b/index.html",
        "docs/in/index.md": "site/in/index.html",
    }


def test_only_rules_with_clean_urls_have_them(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(), "{dir}/{stem}/index.html"))
    shop.write_all({"docs/a.md": "[x](b.md) [y](index.md)\n", "docs/b.md": "", "docs/index.md": ""})
    assert _links(shop.text("docs/a.md")) == ["../b/index.html", "../index/index.html"]


# Drafts


def test_a_link_to_a_draft_says_why_it_leads_nowhere(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": "[x](b.md)\n", "docs/b.md": "---\ndraft: true\n---\n"})
    outcome = shop.run(replace(shop.job("docs/a.md"), links=KnownLinks((), (DocumentId("docs/b.md"),))))
    assert isinstance(outcome, Rendered)
    assert "docs/b.md is a draft, is ignored, or has a date to come" in str(outcome.warnings[0])


def test_a_draft_has_no_url_but_a_title(shop: Workshop) -> None:
    shop.write_all({"docs/a.md": "{{ page('b.md').title }}\n", "docs/b.md": "---\ndraft: true\n---\n# B\n"})
    assert "<p>B</p>" in shop.text("docs/a.md")
    shop.write("docs/a.md", "text\n{{ page('b.md').url }}\n")
    assert str(shop.problem("docs/a.md")).startswith("docs/a.md:2: docs/b.md is a draft, or has a date to come")
    shop.by(PAGES).layout = dataclasses.replace(shop.layout, drafts=True)
    assert "<p>text\nb.html</p>" in shop.text("docs/a.md")


@pytest.mark.parametrize("link", ["[a](x{}.md)", "[a](#x{})", "[a](b.md#x{})"])
def test_of_many_dead_links_the_first_are_told_with_their_lines(shop: Workshop, link: str) -> None:
    shop.write_all({"docs/b.md": "b", "docs/a.md": "\n".join(map(link.format, range(MAX_WARNINGS + 10)))})
    *kept, left_out = _problems(shop, "docs/a.md")
    assert [each.line for each in kept] == list(range(1, MAX_WARNINGS + 1))
    assert left_out.message == "10 more warnings are left out"


def _edge_hash(shop: Workshop, text: str, part: str) -> str:
    facts = Facts(
        DocumentId("docs/x.md"), content_hash=hash_bytes(text.encode()), facets=shop.facets("docs/x.md", text)
    )
    return edge_hash(facts, "site/x.html", link_to(facts.id, part).facets or ())


def test_a_link_to_a_part_does_not_depend_on_the_other_headings(shop: Workshop) -> None:
    one, other = "# Title\n## Part\n", "# Another title\n## Part\n## More\n"
    assert _edge_hash(shop, one, "part") == _edge_hash(shop, other, "part")
    assert _edge_hash(shop, one, "title") != _edge_hash(shop, other, "title")


def test_a_link_to_a_missing_part_depends_on_all_headings_as_the_nearest_is_named(shop: Workshop) -> None:
    assert _edge_hash(shop, "# Part\n", "prat") != _edge_hash(shop, "# Prat of old\n", "prat")


@pytest.mark.parametrize("unknown", ["# Part\n{{ more }}\n", "".join(f"# {n}\n" for n in range(MAX_IDS)) + "# Part\n"])
def test_a_link_to_a_part_depends_on_all_headings_where_not_all_are_known(shop: Workshop, unknown: str) -> None:
    assert _edge_hash(shop, unknown, "part") != _edge_hash(shop, f"# Title\n{unknown}", "part")


def test_hundreds_of_links_to_parts_of_a_page_depend_on_all_its_headings(shop: Workshop) -> None:
    links = "".join(f"[{n}](b.md#p{n})\n" for n in range(MAX_FACETS + 1))
    shop.write_all({"docs/a.md": links, "docs/b.md": ""})
    assert Facet.ANCHORS in _edges(shop, "docs/a.md")["docs/b.md"][0]
    assert len(_edges(shop, "docs/a.md")["docs/b.md"][0]) <= MAX_FACETS
