"""Links between pages follow their targets, are told when they lead nowhere, and cost nothing otherwise."""

from __future__ import annotations

import pytest

from e2e.harness import Corner, Project

TARGET = "# Bee\n\n## Part\n\nText\n"


@pytest.fixture
def pages(corner: Corner) -> Corner:
    corner.write_all(
        {
            "a.md": "[plain](b.md) and back\n",
            "c.md": "[part](b.md#part)\n",
            "e.md": '{% include "_links.md" %}\n',
            "_links.md": "[output](b.html)\n",
            "b.md": f"{TARGET}[back](a.md)\n",
        }
    )
    corner.wait()
    assert 'href="b.html"' in corner.output("a.html")
    assert 'href="b.html#part"' in corner.output("c.html")
    return corner


def test_new_text_renders_no_page_that_links_to_it(pages: Corner) -> None:
    with pages.renders("b.md"):
        pages.write("b.md", f"{TARGET}other [back](a.md)\n")


def test_a_new_heading_renders_the_pages_that_link_to_a_part_of_it(pages: Corner) -> None:
    with pages.renders("b.md", "c.md"):
        pages.write("b.md", TARGET.replace("Part", "Other"))
    told = pages.project.kahnd("logs", "--doc", pages.document("c.md"), "-n", "1", "--json").stdout
    assert "b.md has no 'part'" in told


def test_a_page_that_goes_and_comes_back_is_followed_by_every_link(pages: Corner) -> None:
    with pages.renders("a.md", "c.md", "e.md"):
        pages.remove("b.md")
    assert 'href="b.md"' in pages.output("a.html")
    with pages.renders("a.md", "b.md", "c.md", "e.md"):
        pages.write("b.md", TARGET)
    assert 'href="b.html"' in pages.output("a.html")


def test_a_build_of_one_page_leaves_out_the_pages_that_it_links_to(project: Project) -> None:
    project.write_all({"docs/a.md": "[x](b.md)\n", "docs/b.md": "# B\n"})
    assert project.build("docs/a.md")["rendered"] == ["docs/a.md"]
    assert 'href="b.html"' in project.output("a.html")


def test_links_lead_to_where_another_rule_puts_a_page_after_a_reload(project: Project) -> None:
    project.write_all({"docs/a.md": "[x](b.md)\n", "docs/in/b.md": "[x](../a.md) [y](no.md)\n", "docs/b.md": ""})
    (warning,) = project.build()["warnings"]
    assert warning["document"] == "docs/in/b.md"
    assert "the link to no.md leads nowhere: there is no docs/in/no.md" in warning["message"]
    status = project.status(code=None)
    assert (status["documents"]["missing"], status["missing"]) == (0, [])
    config = project.read("kahnd.toml").replace('"{dir}/{stem}.html"', '"{dir}/{stem}/index.html"')
    project.write("kahnd.toml", config)
    project.build()
    assert 'href="../b/index.html"' in project.output("a/index.html")
    assert 'href="../../a/index.html"' in project.output("in/b/index.html")
    assert project.outputs() == project.fresh_outputs()


def test_clean_urls_can_be_switched_on_and_off(project: Project) -> None:
    project.write_all({"docs/a.md": "[x](in/index.md)\n", "docs/in/index.md": "[x](../a.md)\n", "docs/t.txt": ""})
    project.write("docs/t.txt", "{{ page('in/index.md').url }}")
    project.build()
    plain, config = project.outputs(), project.read("kahnd.toml")
    clean = config.replace('"page"\noutput = "{dir}/{stem}.html"', '"page"\nclean_urls = true')
    project.write("kahnd.toml", clean)
    project.build()
    assert 'href="../in/"' in project.output("a/index.html")
    assert 'href="../a/"' in project.output("in/index.html")
    assert project.output("t.txt") == "in/"
    assert project.outputs() == project.fresh_outputs()
    project.write("kahnd.toml", config)
    project.build()
    assert project.outputs() == plain
