"""The account of outputs: what was entered is there after any end, and what can't be read is nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from kahnd.core.model import Digest, OutputPath
from kahnd.render.account import UNSEEN, Account, Made

A, B = OutputPath("site/a.html"), OutputPath("site/line\nbreak, ü.html")
MADE = Made(Digest("12ab"), 3, 4, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".kahnd/outputs"


def opened(path: Path, *recorded: OutputPath) -> Account:
    account = Account(path)
    account.open(recorded)
    return account


def test_it_tells_the_next_session_what_was_made_and_not_removed(path: Path) -> None:
    account = opened(path)
    account.enter(A, MADE)
    account.enter(B, MADE)
    account.enter(A, None)
    assert {each: Account(path).get(each) for each in (A, B)} == {A: None, B: MADE}
    assert set(Account(path)) == {B}


def test_what_is_recorded_elsewhere_counts_only_where_there_is_no_account(path: Path) -> None:
    assert opened(path, A).get(A) == UNSEEN
    assert B not in opened(path, B)
    assert A in Account(path)


@pytest.mark.parametrize("torn", range(1, 30))
def test_a_torn_last_line_costs_nothing_but_itself(path: Path, torn: int) -> None:
    account = opened(path)
    account.enter(A, MADE)
    whole = path.stat().st_size
    account.enter(B, MADE)
    path.write_bytes(path.read_bytes()[: whole + torn])
    again = opened(path)
    assert set(again) == {A}
    again.enter(B, UNSEEN)
    assert set(Account(path)) == {A, B}


def test_what_can_not_be_read_is_left_out(path: Path) -> None:
    opened(path).enter(A, MADE)
    path.write_bytes(b"\x00\xff nonsense\n[1]\n" + path.read_bytes())
    assert set(opened(path)) == {A}
    assert path.read_bytes().count(b"\n") == 1


def test_an_entry_that_could_not_be_made_true_is_taken_back(path: Path) -> None:
    account = opened(path)
    account.enter(A, MADE)
    for output in (A, B):
        with pytest.raises(OSError, match="full"), account.entered(output, UNSEEN):
            raise OSError("full")
    assert (account.get(A), account.get(B)) == (MADE, None)
    assert (Account(path).get(A), Account(path).get(B)) == (MADE, None)


def test_a_look_does_not_confirm_what_was_made_anew_meanwhile(path: Path) -> None:
    account = opened(path)
    account.enter(A, MADE)
    newer = Made(Digest("34cd"), 6, 7, 8)
    account.enter(A, newer)
    account.confirm(A, MADE, UNSEEN)
    assert account.get(A) == newer
    account.confirm(A, newer, MADE)
    assert account.get(A) == MADE


def test_it_does_not_grow_for_ever(path: Path) -> None:
    account = opened(path)
    for _ in range(1_200):
        account.enter(A, MADE)
    opened(path)
    assert path.read_bytes().count(b"\n") == 1
    assert Account(path).get(A) == MADE


def test_one_that_is_only_read_writes_nothing(path: Path) -> None:
    opened(path, A)
    before = path.read_bytes()
    account = Account(path, kept=False)
    account.confirm(A, UNSEEN, MADE)
    assert path.read_bytes() == before


def test_a_journal_that_is_removed_while_it_is_kept_is_written_anew(path: Path) -> None:
    account = opened(path)
    account.enter(A, MADE)
    path.unlink()
    account.enter(B, MADE)
    assert set(Account(path)) == {A, B}
    path.unlink()
    account.close()
    assert set(Account(path)) == {A, B}


def test_an_account_that_is_only_read_is_not_written_anew(path: Path) -> None:
    opened(path).enter(A, MADE)
    reader = Account(path, kept=False)
    path.unlink()
    reader.close()
    assert not path.exists()


def test_a_journal_that_can_not_be_begun_yet_is_begun_with_the_first_line_that_can(path: Path) -> None:
    path.parent.write_text("in the way")
    account = Account(path)
    account.open([A])
    with pytest.raises(FileExistsError):
        account.enter(B, MADE)
    path.parent.unlink()
    account.enter(B, MADE)
    assert set(Account(path)) == {A, B}
