"""kahnd's theme: its parts, how a project replaces them, and the filters that its pages are made with."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import Dependency, DocumentId, Facet, Kind
from kahnd.core.rules import path_error
from kahnd.render.data.ordering import tag_pages, tags_of
from kahnd.render.files import ProblemError
from kahnd.render.jinja import theme
from kahnd.render.jinja.values import Page, PageFields
from kahnd.render.renderers.parameters import PageParameters, TemplateParameters
from render.workshop import Workshop

ALL = "theme/**"


@pytest.fixture
def site(shop: Workshop) -> Workshop:
    """A project whose pages have the footer of the theme as their layout."""
    themed = Workshop(shop.root, sources=("docs", "data", "theme"))
    return themed.by(
        ("docs/**/*.md", PageParameters(template="kahnd:footer.html")), ("theme/*.css", TemplateParameters())
    )


def _page(path: str, **meta: Any) -> Page:
    fields = PageFields(meta=lambda: meta, title=lambda: path, url=lambda: f"{path}.html", text=lambda: "")
    return Page(DocumentId(path), fields)


def _files_in(folder: Traversable) -> Iterator[Traversable]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files_in(each)
        else:
            yield each


def _pages(*paths: str) -> list[Page]:
    return [_page(each) for each in paths]


def _outline(tree: list[dict[str, Any]]) -> list[Any]:
    """Titles or paths, each with those below it."""
    return [
        (each["title"] or each["path"], _outline(each["children"])) if each["children"] else each["path"] or each["url"]
        for each in tree
    ]


# -- Parts


def test_a_page_is_laid_out_by_a_part(site: Workshop) -> None:
    site.by(("docs/**/*.md", PageParameters(template="kahnd:plain.html")))
    site.write("docs/c.md", "# Hello")
    assert '<h1 id="hello">Hello</h1>' in site.text("docs/c.md", ALL)


def test_a_file_of_the_same_name_replaces_a_part(site: Workshop) -> None:
    site.write_all({"docs/a.md": "# A", "theme/footer.html": "mine: {{ page.title }}"})
    assert site.text("docs/a.md", ALL) == "mine: A"
    assert ("theme/footer.html", Kind.TEMPLATE) in site.reads("docs/a.md", ALL)


def test_a_replacement_may_take_in_what_it_replaces(site: Workshop) -> None:
    site.write("theme/code.css", '{% include "kahnd:code.css" %}mine')
    content = site.text("theme/code.css", ALL)
    assert content == theme.part("code.css") + "mine"


def test_a_part_of_a_part_is_replaced_as_well(site: Workshop) -> None:
    site.write_all({"theme/style.css": '{% include "kahnd:style.css" %}', "theme/print.css": "on paper"})
    content = site.text("theme/style.css", ALL)
    assert content.endswith("on paper")
    assert "@page" not in content


@pytest.mark.parametrize("name", sorted(theme.parts()))
def test_each_part_can_be_replaced(site: Workshop, name: str) -> None:
    site.by(("docs/**/*.md", PageParameters(template="theme/_layout.html")))
    site.write_all(
        {"theme/_layout.html": f'{{% include "kahnd:{name}" %}}', f"theme/{name}": "mine", "docs/a.md": "# A"}
    )
    assert site.text("docs/a.md", ALL) == "mine"


def test_each_part_is_used_by_another_or_by_a_starter() -> None:
    starters = files("kahnd.cli") / "starters"
    texts = [
        *theme.parts().values(),
        *(each.read_text() for kind in ("theme", "site", "book", "report") for each in _files_in(starters / kind)),
    ]
    named = {name for text in texts for name in re.findall(r"kahnd:([\w.-]+)", text)}
    assert set(theme.parts()) - named == {"plain.html"}  # the layout of rules that name none


def test_the_appearance_of_a_replacement_is_a_change(site: Workshop) -> None:
    site.write("docs/a.md", "# A")
    site.by(("docs/**/*.md", PageParameters(template="kahnd:plain.html")))
    collection = "/theme/**"
    assert (collection, Kind.COLLECTION) in site.reads("docs/a.md", ALL)
    assert (collection, Kind.COLLECTION, 0) in site.scan("docs/a.md")


def test_it_is_so_where_no_source_folder_could_have_a_replacement(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="kahnd:plain.html"))).write("docs/a.md", "# A")
    assert ("/theme/**", Kind.COLLECTION, 0) in shop.scan("docs/a.md")


def test_the_scan_finds_what_parts_read(site: Workshop) -> None:
    site.by(("docs/**/*.md", PageParameters(template="kahnd:page.html"))).write("docs/a.md", "# A")
    found = {each.target: each for each in site.scanned("docs/a.md").dependencies}
    assert found[DocumentId("data/site.yaml")].kind is Kind.DATA
    order = found[DocumentId("theme/navigation.json")]
    assert (order.kind, order.facets, order.sure) == (Kind.OUTPUT, frozenset({Facet.OUTPUT}), False)


def test_a_part_that_is_not_there_is_told_with_its_place(site: Workshop) -> None:
    site.write("docs/a.md", '# A\n\n{% include "kahnd:foter.html" %}\n')
    problem = site.problem("docs/a.md", ALL)
    assert (problem.file, problem.line) == ("docs/a.md", 3)
    assert "has no part 'foter.html'" in problem.message
    assert "kahnd:footer.html" in problem.remedy


def test_the_theme_is_in_the_recipe(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.by(("docs/**/*.md", PageParameters()), ("docs/*.css", TemplateParameters()))
    kinds = {"page": PageParameters(), "template": TemplateParameters()}
    before = [shop.renderers[each].fingerprint(given) for each, given in kinds.items()]
    monkeypatch.setattr(theme, "fingerprint", lambda: "other")
    after = [shop.renderers[each].fingerprint(given) for each, given in kinds.items()]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_a_page_without_a_layout_has_coloured_code_and_depends_on_nothing(shop: Workshop) -> None:
    shop.write("docs/a.md", "```python\nx = 1\n```\n")
    content = shop.text("docs/a.md")
    assert ".highlight" in content
    assert "light-dark(" in content
    assert shop.reads("docs/a.md") == []


def test_no_part_leads_to_elsewhere() -> None:
    """The names of XML's vocabularies are addresses that nothing asks for."""
    vocabularies = ("http://www.sitemaps.org/schemas/sitemap/0.9", "http://www.w3.org/2005/Atom")
    for name, text in theme.parts().items():
        assert "http" not in text.replace(vocabularies[0], "").replace(vocabularies[1], ""), name


# -- The output of another document as a value


def test_an_output_is_read_as_data(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters()), ("docs/*.json", TemplateParameters()))
    shop.write_all({"docs/list.json": '{"a": [{{ 1 + 1 }}]}', "docs/a.md": '{{ output("list.json").data.a[0] }}'})
    shop.publish("docs/list.json")
    assert "<p>2</p>" in shop.text("docs/a.md")
    dependency = next(each.dependency for each in shop.outcome("docs/a.md").reads)
    assert dependency == Dependency(DocumentId("docs/list.json"), Kind.OUTPUT)
    assert dependency.facets == frozenset({Facet.OUTPUT})


# -- The order of pages


def test_folders_become_sections_in_the_order_of_names_and_numbers() -> None:
    found = _pages("docs/10-last.md", "docs/2-more.md", "docs/index.md", "docs/guide/b.md", "docs/guide/a.md")
    tree = theme.navigation(found, "/docs/**/*.md")["tree"]
    guide = ("Guide", ["docs/guide/a.md", "docs/guide/b.md"])
    assert _outline(tree) == ["docs/index.md", "docs/2-more.md", "docs/10-last.md", guide]


def test_the_front_matter_orders_pages_and_sections() -> None:
    found = [
        _page("docs/z.md", order=1),
        _page("docs/a/index.md", order=2),
        _page("docs/a/one.md"),
        _page("docs/b.md"),
        _page("docs/hidden.md", nav=False),
    ]
    assert _outline(theme.navigation(found, "/docs/**/*.md")["tree"]) == [
        "docs/z.md",
        ("docs/a/index.md", ["docs/a/one.md"]),
        "docs/b.md",
    ]


def test_each_page_knows_its_place_and_its_neighbours() -> None:
    found = _pages("docs/index.md", "docs/a/index.md", "docs/a/one.md", "docs/b.md")
    order = theme.navigation(found, "/docs/**/*.md")
    assert order["order"] == ["docs/index.md", "docs/a/index.md", "docs/a/one.md", "docs/b.md"]
    assert order["places"]["docs/a/one.md"] == {
        "trail": [1, 0],
        "previous": "docs/a/index.md",
        "next": "docs/b.md",
    }


def test_a_list_decides_instead_of_folders() -> None:
    found = _pages("docs/index.md", "docs/guide/b.md", "docs/guide/a.md", "docs/left-out.md")
    listing = ["index.md", {"Start": "guide/b.md"}, {"All": ["guide/"]}, {"Source": "https://example.org/"}]
    order = theme.navigation(found, "/docs/**/*.md", listing)
    assert _outline(order["tree"]) == [
        "docs/index.md",
        "docs/guide/b.md",
        ("All", ["docs/guide/a.md", "docs/guide/b.md"]),
        "https://example.org/",
    ]
    assert order["tree"][1]["title"] == "Start"
    assert "docs/left-out.md" not in order["order"]


def test_a_summary_in_markdown_decides_with_numbers() -> None:
    found = _pages("src/preface.md", "src/one.md", "src/one/a.md", "src/two.md")
    summary = """# Summary

[Preface](preface.md)

- [One](one.md)
    - [A](./one/a.md)
    - [Not yet]()
- [Two](two.md)
"""
    tree = theme.navigation(found, "/src/**/*.md", summary)["tree"]
    assert _outline(tree) == ["src/preface.md", ("One", ["src/one/a.md", ""]), "src/two.md"]
    assert [each["number"] for each in (*tree, *tree[1]["children"])] == ["", "1", "2", "1.1", "1.2"]


@pytest.mark.parametrize(
    ("listing", "message"),
    [
        ({"a": 1}, "is no list"),
        ([3], "is no path"),
        ([{"Start": None}], "the entry 'Start' of the navigation has no page and no entries"),
        ([{None: ""}], "the entry '' of the navigation has no page and no entries"),
        ([{"": ["a.md"]}], "a section of the navigation has no title"),
        ([{None: "x/"}], "a section of the navigation has no title"),
    ],
)
def test_a_list_of_something_else_fails(listing: object, message: str) -> None:
    with pytest.raises(ProblemError) as told:
        theme.navigation(_pages("docs/a.md"), "/docs/**/*.md", listing)
    assert message in told.value.problem.message


@pytest.mark.parametrize("title", [None, ""])
def test_an_entry_with_a_page_and_an_empty_title_has_the_pages_title(title: object) -> None:
    tree = theme.navigation(_pages("docs/a.md"), "/docs/**/*.md", [{title: "a.md"}])["tree"]
    assert [(each["title"], each["path"]) for each in tree] == [("", "docs/a.md")]


@pytest.mark.parametrize("listing", [["x/b.md", "a.md"], [{"x/b.md": "b.md"}, "a.md"], "- [x/b.md](b.md)\n- [](a.md)"])
def test_a_path_that_is_no_page_is_told_and_shown_without_a_link(listing: object) -> None:
    found = theme.navigation(_pages("docs/a.md"), "/docs/**/*.md", listing)
    assert [(each["title"], each["path"]) for each in found["tree"]] == [("x/b.md", ""), ("", "docs/a.md")]
    (problem,) = found["problems"]
    assert "b.md, which is no page (" in problem


def test_lists_and_folders_are_nested_only_so_deep() -> None:
    deep: Any = "a.md"
    for _ in range(20):
        deep = [{"x": deep}]
    with pytest.raises(ProblemError, match="too deep"):
        theme.navigation(_pages("docs/a.md"), "/docs/**/*.md", deep)
    path = "docs/" + "d/" * 2000 + "a.md"
    assert theme.navigation(_pages(path), "/docs/**/*.md")["order"] == [path]


def test_the_order_can_be_written_as_json() -> None:
    assert json.dumps(theme.navigation(_pages("docs/a.md"), "/docs/**/*.md"))


# -- What pages say

PAGE = (
    '<nav><h2 id="menu">Menu</h2></nav><article class="x"><p>Before</p><h2 id="a">One <code>two</code></h2>'
    '<table><td>x</td><td>y</td></table><h3 id="q">Q</h3></article><footer>after</footer>'
)


def test_what_a_page_says_is_its_article_by_headings() -> None:
    assert theme.sections(PAGE) == [["", "", "Before"], ["a", "One two", "x y"], ["q", "Q", ""]]


def test_a_page_without_an_article_is_taken_as_a_whole() -> None:
    assert theme.sections("<p>A</p>b") == [["", "", "Ab"]]


def test_headings_get_links_to_themselves_which_add_no_text(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="docs/_layout.html")))
    shop.write("docs/_layout.html", '<article>{{ content | permalinks(toc, "Link to") }}</article>')
    shop.write("docs/a.md", '# Top\n\n## A & "b"\n\n## Second\n')
    content = shop.text("docs/a.md")
    assert content.count('class="permalink"') == 2
    assert 'href="#second" aria-label="Link to: Second"></a></h2>' in content
    assert "Link to: A &amp; &#34;b&#34;" in content
    assert [each[:2] for each in theme.sections(content)] == [["top", "Top"], ["a--b", 'A & "b"'], ["second", "Second"]]


def test_chapters_on_one_page_keep_their_links() -> None:
    first = (
        '<article><h1 id="x">X</h1><a href="part/two.html#y">to y</a> <a href="#x">up</a> <img src="a.svg"></article>'
    )
    second = '<article><a href="../one.html">one</a> <a href="https://e.org/">e</a> <code>id="x"</code></article>'
    urls = ["one.html", "part/two.html"]
    assert theme.chapter(first, urls, 0) == (
        '<h1 id="c0-x">X</h1><a href="#c1-y">to y</a> <a href="#c0-x">up</a> <img src="a.svg">'
    )
    assert theme.chapter(second, urls, 1) == (
        '<a href="#c0">one</a> <a href="https://e.org/">e</a> <code>id="x"</code>'
    )


def test_chapters_with_clean_urls_keep_their_links() -> None:
    text = '<article><a href="../two/#y">y</a> <a href="../else/">else</a> <img src="a.svg"></article>'
    assert theme.chapter(text, ["../one/", "../two/"], 0) == (
        '<a href="#c1-y">y</a> <a href="../else/">else</a> <img src="../one/a.svg">'
    )


def test_dates_are_written_in_any_form(shop: Workshop) -> None:
    shop.write("docs/a.txt", '{{ "5 Jan 2026" | date("%Y-%m-%d") }} {{ "2026-01-05 23:30 -0100" | date("%d %B") }}')
    assert shop.text("docs/a.txt") == "2026-01-05 06 January"
    shop.write("docs/a.txt", '\n{{ "soon" | date("%Y") }}')
    problem = shop.problem("docs/a.txt")
    assert (problem.message, problem.line) == ("soon is no date that can be read", 2)


# -- Tags


def test_tags_with_one_path_are_one_and_their_pages_are_the_newest_first() -> None:
    found = [
        _page("docs/a.md", tags=["News", "news", 2026], date="2026-01-05"),
        _page("docs/b.md", tags="news", date="soon"),
        _page("docs/c.md", tags=["news!"], date="6 Jan 2026"),
        _page("docs/d.md", tags=None),
    ]
    made = tag_pages(found, "/docs/**/*.md", "about/tags.md")
    assert made["index"] == "docs/about/tags.md"
    listed = [(tag["name"], tag["path"], [each["page"].path for each in tag["pages"]]) for tag in made["tags"]]
    assert listed == [
        ("2026", "docs/about/tags/2026.md", ["docs/a.md"]),
        ("News", "docs/about/tags/news.md", ["docs/a.md", "docs/b.md"]),
        ("news!", "docs/about/tags/news!.md", ["docs/c.md"]),
    ]
    for each in found:
        paths = [tag["path"] for tag in tag_pages([each], "/docs/**/*.md", "about/tags.md")["tags"]]
        assert {tag["path"] for tag in tags_of(each, "/docs/**/*.md", "about/tags.md")} == set(paths)


def test_a_page_outside_the_pattern_has_tags_without_pages() -> None:
    assert tags_of(_page("other/a.md", tags=["x"]), "/docs/**/*.md", "tags.md") == [{"name": "x", "path": ""}]


@given(st.text(max_size=300) | st.integers() | st.booleans() | st.lists(st.text()) | st.none() | st.dates())
def test_every_tag_has_a_path_that_documents_can_have_or_none(tag: object) -> None:
    (page,) = [_page("docs/a.md", tags=[tag])]
    (found,) = tags_of(page, "/docs/**/*.md", "tags.md")
    if found["path"]:
        folder, name = posixpath.split(found["path"])
        assert (folder, path_error(found["path"])) == ("docs/tags", None)
        assert 0 < len(name.encode()) <= 255
        assert not name.startswith((".", "_", "index."))
    else:
        assert len(tag_pages([page], "/docs/**/*.md", "tags.md")["problems"]) == 1
