"""A project of some thousand documents, and single edits of it with the outputs that each must change.

Every page includes a partial, and every tenth shows a list that a program sorted; an index has all titles. Edits never
make a file longer, so that growth can only be kahnd's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from e2e.harness import Project
from e2e.rules import PAGES, command, rule

LISTS: Final = rule("docs/**/*.list", "command", "{dir}/{stem}.txt", command("sort", "{source}", stdout=True))
FOLDER_SIZE: Final = 100
TO_A_PART: Final = 40
"""The number of pages that include one partial."""
TO_A_LIST: Final = 10
"""One of this many pages shows a list."""
BROKEN: Final = '{% include "/docs/_nothing.md" %}\n'
PERIODS: Final = {"reload": 180, "part": 20, "break": 31, "rename": 43, "title": 59}
"""One edit of this many is of that kind; of the rest, every third saves a list, all others a page."""


@dataclass(frozen=True)
class Edit:
    """One save. `renewed` outputs are rendered again, `gone` ones are removed; `stuck` is a document that it breaks."""

    kind: str
    renewed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    stuck: str = ""


@dataclass
class SoakProject:
    """The project and its present state."""

    project: Project
    pages: int
    seed: int
    _names: dict[int, str] = field(default_factory=dict)
    _titles: dict[int, int] = field(default_factory=dict)
    _broken: int | None = None

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - no secret hangs on it
        self._numbers = count(1)
        self._parts = max(1, self.pages // TO_A_PART)
        self._lists = max(1, self.pages // TO_A_LIST)
        self._timeout = 60

    @property
    def documents(self) -> int:
        """The number of documents, including the partials and the index."""
        return self.pages + self._lists + self._parts + 1

    def write(self) -> None:
        """Writes all documents and the config."""
        self._configure()
        for part in range(self._parts):
            self._save_part(part, 0)
        for number in range(self._lists):
            self._save_list(number, 0)
        for page in range(self.pages):
            self._names[page] = f"{page // FOLDER_SIZE:03}/page-{page:05}"
            self._titles[page] = 0
            self._save_page(page, 0)
        self.project.write(
            "docs/index.md", '{% for each in pages("pages/**/*.md") %}\n- {{ each.title }}\n{% endfor %}'
        )

    @property
    def is_intact(self) -> bool:
        """Tells whether no page is broken."""
        return self._broken is None

    def edit(self) -> Edit:
        """Makes the next edit."""
        number = next(self._numbers)
        if not self.is_intact:
            return self._mend(number)
        kinds = [kind for kind, period in PERIODS.items() if number % period == 0]
        kind = kinds[0] if kinds else "page" if number % 3 else "list"
        made: Edit = getattr(self, f"_{kind}")(number)
        return made

    # Kinds of edits

    def _page(self, number: int) -> Edit:
        page = self._any_page()
        self._save_page(page, number)
        return Edit("page", (self._output(page),))

    def _list(self, number: int) -> Edit:
        chosen = self._chance.randrange(self._lists)
        self._save_list(chosen, number)
        shown = [self._output(page) for page in self._names if self._list_of(page) == chosen]
        return Edit("list", (f"site/lists/{chosen:05}.txt", *shown))

    def _part(self, number: int) -> Edit:
        part = self._chance.randrange(self._parts)
        self._save_part(part, number)
        return Edit("part", tuple(self._output(page) for page in self._names if page % self._parts == part))

    def _title(self, number: int) -> Edit:
        page = self._any_page()
        self._titles[page] = number
        self._save_page(page, number)
        return Edit("title", (self._output(page), "site/index.html"))

    def _break(self, number: int) -> Edit:
        page = self._broken = self._any_page()
        self._save_page(page, number, BROKEN)
        return Edit("break", stuck=self._document(page))

    def _mend(self, number: int) -> Edit:
        page, self._broken = self._broken, None
        assert page is not None
        self._save_page(page, number)
        return Edit("mend", (self._output(page),))

    def _rename(self, number: int) -> Edit:
        page = self._any_page()
        before, gone = self._document(page), self._output(page)
        self._names[page] = f"{page // FOLDER_SIZE:03}/page-{page:05}-{number % 10}-{number % 7}"
        if gone == self._output(page):
            return self._page(number)
        self.project.path(before).rename(self.project.path(self._document(page)))
        return Edit("rename", (self._output(page),), (gone,))

    def _reload(self, number: int) -> Edit:
        self._timeout = 121 - self._timeout
        self._configure()
        return Edit("reload")

    # Files

    def _configure(self) -> None:
        self.project.configure(PAGES, LISTS, extra=f"[pool]\nworkers = 2\ntimeout_s = {self._timeout}\n")

    def _save_page(self, page: int, number: int, more: str = "") -> None:
        shown = self._list_of(page)
        listed = f'{{{{ output("/docs/lists/{shown:05}.list").text }}}}\n' if shown is not None else ""
        head = f"---\ntitle: Page {page:05}, {self._titles[page]:07}\n---\nEdit {number:07}\n\n"
        part = f'{{% include "{self._part_path(page)}" %}}\n\n'
        self.project.write(self._document(page), f"{head}{part}{listed}{more}{'word ' * 60}\n")

    def _save_list(self, number: int, edit: int) -> None:
        lines = [f"{(number * line) % 97:02} line {line}" for line in range(20)]
        self.project.write(f"docs/lists/{number:05}.list", "\n".join([f"edit {edit:07}", *lines, ""]))

    def _save_part(self, part: int, number: int) -> None:
        self.project.write(f"docs/parts/_{part:03}.md", f"Part {part}, edit {number:07}\n")

    def _part_path(self, page: int) -> str:
        return f"/docs/parts/_{page % self._parts:03}.md"

    def _list_of(self, page: int) -> int | None:
        """Returns the list that a page shows: every tenth page shows one, and each list is shown once."""
        return page // TO_A_LIST if page % TO_A_LIST == 0 and page // TO_A_LIST < self._lists else None

    def _any_page(self) -> int:
        return self._chance.randrange(self.pages)

    def _document(self, page: int) -> str:
        return f"docs/pages/{self._names[page]}.md"

    def _output(self, page: int) -> str:
        return f"site/pages/{self._names[page]}.html"
