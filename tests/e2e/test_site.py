"""`kahnd init --site`, `--book` and `--report`: what they make is sound, and an edit renders what shows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs.links import Site
from e2e.harness import Daemon, Project

VOCABULARIES = (
    "http://www.sitemaps.org/schemas/sitemap/0.9",
    "http://www.w3.org/2005/Atom",
    "http://www.w3.org/2000/svg",
)
VOID = {"base", "br", "circle", "hr", "img", "input", "link", "meta", "path", "rect"}
ALWAYS = ("theme/search-index.js",)
TAG_PAGES = ("docs/tags.md", "docs/tags/news.md", "docs/tags/how-to.md")
OF_ALL_PAGES = ("theme/navigation.json", "theme/feed.xml", *ALWAYS)
"""What reads the front matter of all pages, or has a list of them."""


def made(folder: Path, kind: str) -> Project:
    empty = Project(folder)
    empty.kahnd("init", f"--{kind}", "it")
    return Project(empty.path("it"))


class Balance(HTMLParser):
    """Collects tags that are not closed in the order they were opened, and ids that are there twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.faults: list[str] = []
        self.feed(text)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = dict(attrs).get("id")
        if name in self.ids:
            self.faults.append(f"#{name}")
        self.ids |= {name} if name else set()
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")


@pytest.mark.parametrize("kind", ["site", "book", "report"])
def test_a_starter_with_the_theme_builds_without_a_warning(tmp_path: Path, kind: str) -> None:
    project = made(tmp_path, kind)
    answer = project.build()
    assert (answer["failed"], answer["blocked"], answer["warnings"]) == ([], [], [])
    assert project.build()["rendered"] == []
    for name, content in project.outputs().items():
        text = content.decode()
        for each in VOCABULARIES:
            text = text.replace(each, "")
        assert not re.search(r"https?:|(?:src|href)=\"//|@import", text), name
        if name.endswith(".html"):
            assert Balance(text).faults == [], name
        if name.endswith((".xml", ".svg")):
            ET.fromstring(content)  # noqa: S314 - the test's own
    missing = project.path("site/404.html")
    missing.unlink(missing_ok=True)  # its links begin at the top of the server
    assert list(Site(project.path("site")).faults()) == []


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with made(tmp_path_factory.mktemp("site"), "site").daemon() as daemon:
        yield daemon


def test_the_edit_of_a_text_renders_its_page_and_the_search_index(live: Daemon) -> None:
    project = live.project
    with project.renders("docs/guide/look.md", *ALWAYS):
        project.append("docs/guide/look.md", "\nA sentence about rhubarb.\n")
    assert "rhubarb" in project.output("search-index.js")


def test_the_edit_of_a_title_renders_the_pages_that_show_it(live: Daemon) -> None:
    """Of a small site, every page shows all titles."""
    project = live.project
    pages = sorted(f"docs/{each.relative_to(project.path('docs'))}" for each in project.path("docs").rglob("*.md"))
    feed = "theme/feed.xml"
    with project.renders(*pages, *TAG_PAGES, *ALWAYS):
        project.write("docs/guide/look.md", project.read("docs/guide/look.md").replace("# Your own look", "# Its look"))
    assert ">Its look</a>" in project.output("posts/first.html")
    assert feed not in pages


def test_a_new_page_is_in_navigation_search_and_feed(live: Daemon) -> None:
    project = live.project
    project.write("docs/posts/third.md", "---\ntitle: A third\ndate: 2020-01-01\n---\n# A third\n\nAbout medlars.\n")
    project.wait()
    assert ">A third</a>" in project.output("index.html")
    assert "medlars" in project.output("search-index.js")
    assert "<title>A third</title>" in project.output("feed.xml")
    assert project.outputs() == project.fresh_outputs()


def test_a_part_is_replaced_and_comes_back(live: Daemon) -> None:
    project = live.project
    before = project.output("index.html")
    project.write("theme/footer.html", "<footer>Made with care</footer>\n")
    project.wait()
    assert "Made with care" in project.output("guide/look.html")
    assert project.outputs() == project.fresh_outputs()
    project.remove("theme/footer.html")
    project.wait()
    assert project.output("index.html") == before


def test_the_sites_address_is_in_feed_and_site_map_and_its_path_on_the_page_for_missing_ones(live: Daemon) -> None:
    project = live.project
    before = project.read("data/site.yaml")
    project.write("data/site.yaml", before + "url: https://example.org/manual/\nedit: https://example.org/e/{path}\n")
    project.wait()
    assert "<loc>https://example.org/manual/guide/look.html</loc>" in project.output("sitemap.xml")
    assert '<link rel="self" href="https://example.org/manual/feed.xml"/>' in project.output("feed.xml")
    assert '<base href="/manual/">' in project.output("404.html")
    assert '<a href="https://example.org/e/docs/guide/look.md">' in project.output("guide/look.html")
    assert '<a href="https://example.org/e/' not in project.output("404.html")
    project.write("data/site.yaml", before)
    project.wait()
    assert '<base href="/">' in project.output("404.html")


def test_a_part_with_a_mistake_is_told_with_its_line(live: Daemon) -> None:
    project = live.project
    project.write("theme/footer.html", "<footer>\n{{ site.nothing }}\n</footer>\n")
    project.wait(code=1)
    failures = project.status()["failures"]
    assert {(each["file"], each["line"]) for each in failures} == {("theme/footer.html", 2)}
    project.remove("theme/footer.html")
    project.wait()
    assert project.status()["failures"] == []


def test_a_list_that_names_no_page_is_told_and_mended(live: Daemon) -> None:
    project = live.project
    before = project.read("data/site.yaml")
    project.write("data/site.yaml", before + "nav: [index.md, gone.md]\n")
    (warning,) = project.wait()["warnings"]
    assert warning["document"] == "theme/navigation.json"
    assert "lists gone.md, which is no page" in warning["message"]
    assert "gone.md</" in project.output("index.html"), "it is shown, without a link"
    project.write("data/site.yaml", before)
    assert project.wait()["warnings"] == []
    assert project.outputs() == project.fresh_outputs()


def test_a_large_site_renders_only_what_shows_a_title(tmp_path: Path) -> None:
    """A page shows what is beside it and above it; with more pages, not what is elsewhere."""
    project = made(tmp_path, "site")
    for part in range(15):
        for page in range(15):
            project.write(f"docs/part-{part}/page-{page}.md", f"# Page {part} {page}\n")
    with project.daemon():
        beside = [f"docs/part-3/page-{page}.md" for page in range(15)]
        with project.renders(*beside, *ALWAYS):
            project.write("docs/part-3/page-4.md", "# Another title\n")
        with project.renders("docs/part-3/page-4.md", *ALWAYS):
            project.append("docs/part-3/page-4.md", "\nMore.\n")
        project.append("data/site.yaml", 'nav: [index.md, {"To come": [later.md]}, /docs/]\n')
        assert len(project.wait()["warnings"]) == 1
        assert '<span class="draft">To come</span>' in project.output("index.html")


def _post(title: str, tags: str, text: str = "") -> str:
    return f"---\ntitle: {title}\ndate: 2020-01-01\ntags: [{tags}]\n---\n{text}\n"


@pytest.fixture
def tagged(tmp_path: Path) -> Project:
    project = made(tmp_path, "site")
    project.write("docs/posts/third.md", _post("The third", "news"))
    return project


def test_a_tag_has_a_page_for_as_long_as_a_page_has_it(tagged: Project) -> None:
    with tagged.daemon():
        assert 'href="../tags/news.html"' in tagged.output("posts/third.html")
        lists = ("docs/guide/writing.md", "docs/posts/index.md")  # which read the dates of posts
        with tagged.renders("docs/posts/third.md", "docs/tags.md", "docs/tags/winter.md", *lists, *OF_ALL_PAGES):
            tagged.write("docs/posts/third.md", _post("The third", "news, Winter"))
        assert '<a href="../posts/third.html">The third</a>, 1 January 2020' in tagged.output("tags/winter.html")
        with tagged.renders("docs/posts/third.md", *ALWAYS):
            tagged.append("docs/posts/third.md", "More of it.\n")
        assert tagged.outputs() == tagged.fresh_outputs()
        tagged.write("docs/posts/third.md", _post("The third", "news"))
        assert tagged.wait()["warnings"] == []
        assert "tags/winter.html" not in tagged.outputs()
        assert tagged.outputs() == tagged.fresh_outputs()


def test_a_site_without_tags_has_no_page_of_them(tagged: Project) -> None:
    for each in ("first", "second", "third"):
        tagged.write(f"docs/posts/{each}.md", f"# {each}\n")
    assert len(tagged.build()["rendered"]) == 16
    assert not [each for each in tagged.outputs() if each.startswith("tags")]
    assert "tags.html" not in tagged.output("index.html")


def test_tags_of_any_spelling_lead_to_pages_that_show_them(tagged: Project) -> None:
    names = ["C++", "C#", ".NET", "a/b {{ c }}", "Über [x](y) *z*", "index", "NEWS", "2026", "<b>"]
    tagged.write("docs/posts/third.md", _post("'*Not* [a] {{ link }} `x` $1$'", json.dumps(names)[1:-1]))
    answer = tagged.build()
    assert (answer["failed"], answer["warnings"]) == ([], [])
    tagged.path("site/404.html").unlink()  # its links begin at the top of the server
    assert list(Site(tagged.path("site")).faults()) == []
    assert {"tags/c++.html", "tags/c#.html", "tags/net.html", "tags/index-.html"} <= set(tagged.outputs())
    assert ">*Not* [a] {{ link }} `x` $1$</a>" in tagged.output("tags/c++.html")
    assert ">Über [x](y) *z*</a> (1)" in tagged.output("tags.html")
    assert tagged.output("tags.html").count(">news</a>") == 1, "NEWS is the same tag"
    assert ">NEWS</a>" in tagged.output("posts/third.html")


def test_what_can_be_no_tag_is_told_and_shown_without_a_link(tagged: Project) -> None:
    tagged.write("docs/posts/third.md", _post("The third", "{a: b}, '...'"))
    first, second = tagged.build()["warnings"]
    assert "docs/posts/third.md has the tag a mapping, which can't name a page" in first["message"]
    assert "docs/posts/third.md has the tag `...`" in second["message"]
    assert "<li><span>...</span></li>" in tagged.output("posts/third.html")


def test_a_file_of_the_project_counts_instead_of_a_page_of_tags(tagged: Project) -> None:
    tagged.write_all({"docs/tags.md": "# Subjects\n", "docs/tags/news.md": "# News of ours\n"})
    assert tagged.build()["failed"] == []
    assert "Subjects" in tagged.output("tags.html")
    assert ">News of ours</h1>" in tagged.output("tags/news.html")
    assert 'href="../tags/news.html">news</a>' in tagged.output("posts/first.html")


def test_tags_can_be_elsewhere_and_in_no_place(tagged: Project) -> None:
    given = tagged.read("data/site.yaml")
    tagged.write("data/site.yaml", given.replace("tags: tags.md", "tags: about/subjects.md\nnav: [about/subjects.md]"))
    assert tagged.build()["warnings"] == []
    assert 'href="subjects/news.html"' in tagged.output("about/subjects.html")
    tagged.write("data/site.yaml", given.replace("tags: tags.md", ""))
    tagged.build()
    assert not [each for each in tagged.outputs() if "subjects" in each or "tags" in each]
    assert 'class="tags"' not in tagged.output("posts/first.html")


def test_a_wrong_place_of_tags_is_told(tagged: Project) -> None:
    tagged.write("data/site.yaml", tagged.read("data/site.yaml").replace("tags: tags.md", "tags: true"))
    (failure,) = tagged.build(code=1)["failed"]
    assert failure["document"] == "theme/navigation.json"
    assert "`tags` in data/site.yaml is no path: write `tags: tags.md`" in failure["error"]
