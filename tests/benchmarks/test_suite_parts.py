"""The parts of the benchmark suite that its figures depend on: reading the log, bounds, verdicts, the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite import report
from suite.corpora.commands import SECTION, write
from suite.corpora.skewed import Skewed
from suite.figures import Figure
from suite.goals import Limit
from suite.tools.log import Log


def rotate(log: Path) -> None:
    for number in (2, 1):
        if (older := log.with_name(f"{log.name}.{number}")).exists():
            older.rename(log.with_name(f"{log.name}.{number + 1}"))
    log.rename(log.with_name(f"{log.name}.1"))


def append(log: Path, *documents: str) -> None:
    with log.open("a") as file:
        file.writelines(f'{{"event": "document.rendered", "document": "{each}"}}\n' for each in documents)


def test_the_log_is_read_on_from_where_it_stood_through_several_rotations(tmp_path: Path) -> None:
    path = tmp_path / "kahnd.jsonl"
    append(path, "before")
    log = Log(path)
    append(path, "a")
    rotate(path)
    append(path, "b")
    rotate(path)
    append(path, "c")
    assert log.rendered() == ["a", "b", "c"]
    append(path, "d")
    assert log.rendered() == ["d"]


def test_half_a_line_is_read_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "kahnd.jsonl"
    log = Log(path)
    path.write_text('{"event": "build.st')
    assert not log.read()
    path.write_text('{"event": "build.started"}\n')
    assert [entry["event"] for entry in log.read()] == ["build.started"]


@pytest.mark.parametrize(
    ("needs", "bound"),
    [({"a": (), "b": (), "c": ()}, 3.0), ({"a": (), "b": ("a",), "c": ("b",)}, 6.0)],
    ids=["the work shared out", "the longest chain"],
)
def test_no_schedule_beats_the_bound(needs: dict[str, tuple[str, ...]], bound: float) -> None:
    assert Skewed(needs, {"a": 1, "b": 2, "c": 3}).bound_s == bound


def test_a_section_has_so_many_tops_whatever_the_size_of_the_project(tmp_path: Path) -> None:
    for documents in (200, 2_000):
        corpus = write(tmp_path / str(documents), documents, "sections")
        sizes = {len(needed) for name, needed in corpus.needs.items() if "/index/" in name}
        assert len(corpus.needs) == documents
        assert sizes <= {SECTION - 1, SECTION}


def figure(*values: float) -> Figure:
    return Figure("edit", "index", 10, "kahnd", "ms", values)


def test_a_limit_is_judged_by_medians_and_not_at_all_where_one_is_absent() -> None:
    assert Limit(figure(1, 2, 90), 0.5, figure(4)).holds
    assert Limit(figure(3), 0.5, figure(4)).holds is False
    assert Limit(figure(3), 0.5, figure()).holds is None


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = report.inserted(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", "new")
    assert page == f"before\n{report.BEGIN}\n\nnew\n{report.END}\nafter\n"
