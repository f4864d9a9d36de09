"""Pages show when a commit has changed them last, and a commit renders those that show another date."""

from __future__ import annotations

import os
import subprocess

from e2e.harness import Project
from e2e.rules import PAGES

IDENTITY = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
SHOWS = '{{ last_change() | date("%Y-%m-%d") if last_change() else "never" }}\n'


def git(project: Project, *words: str, date: str = "2020-01-01") -> None:
    dates = dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), f"{date}T12:00:00Z")
    subprocess.run(["git", *words], cwd=project.root, env={**os.environ, **IDENTITY, **dates}, check=True)


def begun(project: Project) -> None:
    project.write_all({"docs/a.md": SHOWS, "docs/b.md": SHOWS, "docs/plain.md": "plain\n", ".gitignore": "/site\n"})
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "1")


def configure(project: Project, *, on: bool) -> None:
    project.configure(PAGES)
    text = project.read("kahnd.toml")
    project.write("kahnd.toml", text.replace("[pool]", "last_change = true\n[pool]", 1) if on else text)


def test_a_commit_renders_the_pages_whose_dates_it_changes(project: Project) -> None:
    configure(project, on=True)
    begun(project)
    with project.daemon():
        project.wait()
        assert "2020-01-01" in project.output("a.html")
        with project.renders("docs/a.md"):
            project.append("docs/a.md", "more\n")
        with project.renders("docs/a.md"):
            git(project, "commit", "-qam", "2", date="2021-02-03")
        assert "2021-02-03" in project.output("a.html")
        with project.renders("docs/c.md"):
            project.write("docs/c.md", SHOWS)
        assert "never" in project.output("c.html")
        with project.renders("docs/a.md"):
            git(project, "reset", "-q", "HEAD~1")
        assert "2020-01-01" in project.output("a.html")
    git(project, "add", ".")
    git(project, "commit", "-qm", "3", date="2022-02-03")
    assert sorted(project.build()["rendered"]) == ["docs/a.md", "docs/c.md"]
    assert project.build()["rendered"] == []
    assert "//last-change/docs/c.md" in project.kahnd("why", "docs/c.md").stdout


def test_without_the_key_no_page_has_a_date_and_to_set_it_renders_those_that_ask(project: Project) -> None:
    configure(project, on=False)
    begun(project)
    project.build()
    assert "never" in project.output("a.html")
    assert "last-change" not in project.kahnd("graph", "--format", "json").stdout
    configure(project, on=True)
    project.build()
    assert "2020-01-01" in project.output("a.html")
    configure(project, on=False)
    project.build()
    assert "never" in project.output("a.html")
    assert "last-change" not in project.kahnd("graph", "--format", "json").stdout
