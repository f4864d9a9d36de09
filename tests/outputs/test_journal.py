"""The journal of outputs: what was entered is there after any end, and what can't be read is nobody's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kahnd.core.model import Digest, OutputPath
from kahnd.outputs.journal import Made, OutputJournal
from kahnd.platform.owned_files import NotOwnError

A, B = OutputPath("site/a.html"), OutputPath("site/line\nbreak, ü.html")
MADE = Made(Digest("12ab"), 3, 4, 5)
OTHER = Made(Digest("56ef"), 6, 7, 8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".kahnd/outputs"


def opened(path: Path, **recorded: Digest) -> OutputJournal:
    journal = OutputJournal(path.parents[1])
    journal.open({OutputPath(f"site/{each}.html"): digest for each, digest in recorded.items()})
    return journal


def test_it_tells_the_next_session_what_was_made_and_not_removed(path: Path) -> None:
    journal = opened(path)
    journal.enter(A, MADE)
    journal.enter(B, MADE)
    journal.enter(A, None)
    assert {each: OutputJournal(path.parents[1]).get(each) for each in (A, B)} == {A: None, B: MADE}
    assert set(OutputJournal(path.parents[1])) == {B}


def test_what_is_recorded_elsewhere_counts_only_where_there_is_no_account(path: Path) -> None:
    assert opened(path, a=Digest("12ab")).get(A) == Made(Digest("12ab"))
    assert OutputPath("site/b.html") not in opened(path, b=Digest("12ab"))
    assert A in OutputJournal(path.parents[1])


@pytest.mark.parametrize("torn", range(1, 30))
def test_a_torn_last_line_costs_nothing_but_itself(path: Path, torn: int) -> None:
    journal = opened(path)
    journal.enter(A, MADE)
    whole = path.stat().st_size
    journal.enter(B, MADE)
    path.write_bytes(path.read_bytes()[: whole + torn])
    again = opened(path)
    assert set(again) == {A}
    again.enter(B, OTHER)
    assert set(OutputJournal(path.parents[1])) == {A, B}


def test_what_can_not_be_read_is_left_out(path: Path) -> None:
    opened(path).enter(A, MADE)
    path.write_bytes(b"\x00\xff nonsense\n[1]\n" + path.read_bytes())
    assert set(opened(path)) == {A}
    assert path.read_bytes().count(b"\n") == 1


def test_an_entry_that_could_not_be_made_true_is_taken_back(path: Path) -> None:
    journal = opened(path)
    journal.enter(A, MADE)
    for output in (A, B):
        with pytest.raises(OSError, match="full"), journal.entered(output, OTHER):
            raise OSError("full")
    assert (journal.get(A), journal.get(B)) == (MADE, None)
    assert (OutputJournal(path.parents[1]).get(A), OutputJournal(path.parents[1]).get(B)) == (MADE, None)


def test_a_look_does_not_confirm_what_was_made_anew_meanwhile(path: Path) -> None:
    journal = opened(path)
    journal.enter(A, MADE)
    newer = Made(Digest("34cd"), 6, 7, 8)
    journal.enter(A, newer)
    journal.confirm(A, MADE, OTHER)
    assert journal.get(A) == newer
    journal.confirm(A, newer, MADE)
    assert journal.get(A) == MADE


def test_it_does_not_grow_for_ever(path: Path) -> None:
    journal = opened(path)
    for _ in range(1_200):
        journal.enter(A, MADE)
    opened(path)
    assert path.read_bytes().count(b"\n") == 1
    assert OutputJournal(path.parents[1]).get(A) == MADE


def test_one_that_is_only_read_writes_nothing(path: Path) -> None:
    opened(path, a=Digest("12ab"))
    before = path.read_bytes()
    journal = OutputJournal(path.parents[1], kept=False)
    journal.confirm(A, OTHER, MADE)
    assert path.read_bytes() == before


def test_a_journal_that_is_removed_while_it_is_kept_is_written_anew(path: Path) -> None:
    journal = opened(path)
    journal.enter(A, MADE)
    path.unlink()
    journal.enter(B, MADE)
    assert set(OutputJournal(path.parents[1])) == {A, B}
    path.unlink()
    journal.close()
    assert set(OutputJournal(path.parents[1])) == {A, B}


def test_an_account_that_is_only_read_is_not_written_anew(path: Path) -> None:
    opened(path).enter(A, MADE)
    reader = OutputJournal(path.parents[1], kept=False)
    path.unlink()
    reader.close()
    assert not path.exists()


def test_a_journal_that_can_not_be_begun_yet_is_begun_with_the_first_line_that_can(path: Path) -> None:
    journal = OutputJournal(path.parents[1])
    path.mkdir(parents=True)
    journal.open({A: Digest("12ab")})
    with pytest.raises(NotOwnError, match="folder"):
        journal.enter(B, MADE)
    path.rmdir()
    journal.enter(B, MADE)
    assert set(OutputJournal(path.parents[1])) == {A, B}


@pytest.mark.parametrize(
    "line",
    [
        b'["site/\xff.html",["12ab",3,4,5]]',
        b'["site/\\u0000.html",["12ab",3,4,5]]',
        b'["site/\\ud800.html",["12ab",3,4,5]]',
        b'["../a.html",["12ab",3,4,5]]',
        b'["/etc/passwd",["12ab",3,4,5]]',
        b'["site/../docs/a.md",["12ab",3,4,5]]',
        b'["",["12ab",3,4,5]]',
        b'["site/b.html",["12ab",3e99,4,5]]',
        b'{"output": "site/b.html"}',
        b"\x00" * 40,
    ],
)
def test_a_damaged_line_is_lost_and_told_by_its_number(path: Path, line: bytes) -> None:
    opened(path).enter(A, MADE)
    path.write_bytes(line + b"\n" + path.read_bytes())
    journal = opened(path)
    assert (set(journal), journal.lost) == ({A}, [1])
    assert opened(path).lost == []


@pytest.mark.parametrize("content", [b"\0" * 173, b"nonsense", b'["site/a.html",["12ab",3' + b"\0" * 9])
def test_damage_without_a_line_break_is_told(path: Path, content: bytes) -> None:
    opened(path)
    path.write_bytes(content)
    assert opened(path).lost == [1]


def test_no_more_is_read_than_a_journal_can_have(path: Path) -> None:
    opened(path).enter(A, MADE)
    os.truncate(path, 1 << 40)
    journal = opened(path)
    assert set(journal) == {A}
    assert journal.lost
    assert path.stat().st_size < 1_000


def test_an_overlong_line_is_lost_as_one(path: Path) -> None:
    opened(path).enter(A, MADE)
    path.write_bytes(b"[" * 200_000 + b"\n" + path.read_bytes())
    journal = opened(path)
    assert (set(journal), journal.lost) == ({A}, [1])


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "hard link"])
def test_a_journal_that_is_no_file_of_kahnd_s_is_refused(path: Path, tmp_path: Path, kind: str) -> None:
    path.parent.mkdir()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    if kind == "link":
        path.symlink_to(precious)
    elif kind == "hard link":
        path.hardlink_to(precious)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(NotOwnError) as refused:
        OutputJournal(tmp_path)
    assert str(path) == refused.value.filename
    assert refused.value.remedy
    assert precious.read_text() == "precious"
