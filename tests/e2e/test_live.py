"""`kahnd run` on a terminal, as somebody sees it who sits there."""

from __future__ import annotations

import re
import signal

import pytest

from e2e.harness import DEADLINE_S, Project, eventually
from e2e.rules import SCRIPTS
from e2e.terminal import Terminal

BROKEN = "{% include 'nowhere.md' %}\n"
CURSOR_HIDDEN = b"\x1b[?25l"
CTRL_Q = b"\x11"


def test_what_is_rendered_is_shown_with_its_generation_until_it_is_done(project: Project) -> None:
    gate = project.gate()
    project.write_all({"docs/slow.sh": gate.script(), "docs/a.txt": "A"})
    with Terminal(project, "run") as terminal:
        gate.reached()
        terminal.shows(r"rendering 1/2 .* start\n  generation 0  docs/slow\.sh +[1-9]\d*\.\d s")
        gate.open()
        terminal.shows("start: 2 rendered")
        terminal.shows(r"idle  2 documents: 2 done")
        assert "docs/slow.sh" not in terminal.shown
        assert terminal.end() == 130


def test_a_failure_stays_with_file_and_line_until_it_is_mended(project: Project) -> None:
    project.write_all({"docs/a.md": "# A", "docs/b.txt": "B"})
    with Terminal(project, "run") as terminal:
        terminal.shows("idle")
        project.write("docs/a.md", "# A\n\n{{ 1 / 0 }}\n")
        terminal.shows(r"failed +docs/a\.md:3: ")
        project.write("docs/b.txt", "B2")
        terminal.shows(r"docs/b\.txt saved: 1 rendered")
        assert re.search(r"failed +docs/a\.md:3: ", terminal.shown)
        project.write("docs/a.md", "# A again")
        terminal.shows_no(r"failed +docs/a\.md")
        terminal.shows(r"docs/a\.md saved: 1 rendered")


def test_what_is_blocked_is_shown_with_its_culprit(project: Project) -> None:
    project.write_all({"docs/a.sh": "echo no such thing >&2; exit 3", "docs/b.sum": "needs a.sh"})
    with Terminal(project, "run") as terminal:
        shown = terminal.shows(r"blocked +docs/b\.sum.*docs/a\.sh")
        assert "no such thing" in shown


def test_a_failure_that_is_tried_again_is_shown_meanwhile(project: Project) -> None:
    gate = project.gate()
    project.write("docs/a.sh", "exit 1")
    with Terminal(project, "run") as terminal:
        terminal.shows(r"failed +docs/a\.sh")
        project.write("docs/a.sh", gate.script())
        gate.reached()
        shown = terminal.shows(r"generation 0  docs/a\.sh")
        assert re.search(r"failed +docs/a\.sh", shown)
        gate.open()
        terminal.shows_no("failed +docs/a")


def test_a_mistake_in_the_configuration_is_shown_until_it_is_mended(project: Project) -> None:
    good = project.read("kahnd.toml")
    with Terminal(project, "run") as terminal:
        terminal.shows("idle")
        project.write("kahnd.toml", good.replace('renderer = "page"', 'renderer = "pgae"'))
        terminal.shows(r"config +kahnd\.toml:\d+: ")
        project.write("kahnd.toml", good)
        terminal.shows_no(r"config +kahnd\.toml")


def test_the_log_s_file_has_all_lines_as_ever(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with Terminal(project, "run") as terminal:
        terminal.shows("idle")
        terminal.end()
    events = [each["event"] for each in project.log()]
    assert [each for each in events if each in {"daemon.started", "document.rendered", "daemon.stopped"}] == [
        "daemon.started",
        "document.rendered",
        "daemon.stopped",
    ]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_cursor_is_there_whatever_way_it_ends(project: Project, how: signal.Signals) -> None:
    with Terminal(project, "run") as terminal:
        terminal.shows("idle")
        terminal.end(how)
    assert CURSOR_HIDDEN not in terminal.written


def test_at_the_end_the_live_block_is_cleared_and_the_builds_stay(project: Project) -> None:
    project.write("docs/a.sh", "exit 1")
    with Terminal(project, "run") as terminal:
        terminal.shows(r"failed +docs/a\.sh")
        terminal.end(signal.SIGTERM)
    assert "start: 1 failed" in terminal.shown
    assert "idle" not in terminal.shown
    assert terminal.shown.splitlines()[-1].split()[1] == "daemon.stopped"


def test_a_resize_leaves_no_duplicate_lines(project: Project) -> None:
    project.write("docs/a.sh", "exit 1")
    with Terminal(project, "run", columns=120) as terminal:
        terminal.shows(r"failed +docs/a\.sh")
        for name, lines, columns in (("b", 12, 30), ("c", 30, 90)):
            terminal.resize(lines, columns)
            project.write(f"docs/{name}.txt", "new")
            terminal.shows(rf"(?s)docs/{name}\.txt saved.*\nidle ")
            eventually(lambda: _once(terminal, "idle") and _once(terminal, "failed"), "each line is there once")


def _once(terminal: Terminal, word: str) -> bool:
    return len(re.findall(f"^{word} ", terminal.shown, re.MULTILINE)) == 1


def test_a_terminal_too_small_for_all_failures_says_how_many_more_there_are(project: Project) -> None:
    project.write_all({f"docs/{number}.sh": f"exit {number + 1}" for number in range(20)})
    with Terminal(project, "run", lines=10) as terminal:
        shown = terminal.shows(r"(?s)idle .* and \d+ more lines: `kahnd status`")
        assert len(re.findall("^failed ", shown, re.MULTILINE)) >= 5


def test_a_terminal_that_goes_away_does_not_end_the_daemon(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with Terminal(project, "run") as terminal:
        terminal.shows("idle")
        terminal.go_away()
        project.write("docs/a.txt", "B")
        project.wait()
        assert project.output("a.txt") == "B"
        assert terminal.end(signal.SIGTERM) == 0


def test_a_terminal_that_takes_nothing_does_not_stop_the_daemon(project: Project) -> None:
    """As after Ctrl-S: whoever drew would wait for it, and so would all else, if it were the daemon itself."""
    project.write("docs/a.txt", "A")
    with Terminal(project, "run") as terminal:
        terminal.shows("idle")
        mark = terminal.takes_nothing()
        for number in range(5):
            project.write("docs/a.txt", f"{number}")
            project.wait()
            assert project.output("a.txt") == f"{number}"
        assert len(terminal.written) == mark
        terminal.press(CTRL_Q)
        terminal.shows(r"(?s)(docs/a\.txt saved: 1 rendered.*){5}idle")


def test_a_daemon_ends_on_a_terminal_that_takes_nothing(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with Terminal(project, "run") as terminal:
        terminal.shows("idle")
        terminal.takes_nothing()
        project.write("docs/a.txt", "B")
        project.wait()
        assert terminal.end(signal.SIGTERM) == 0


def test_names_and_messages_cannot_control_the_terminal(project: Project) -> None:
    project.write("docs/a\x1b[31m.sh", "printf '\\033]0;title\\007' >&2; exit 1")
    with Terminal(project, "run") as terminal:
        terminal.shows(r"failed +docs/a\\x1b\[31m\.sh")
        terminal.shows(r"\\x1b\]0;title")
    assert b"\x1b]0;" not in terminal.written


@pytest.mark.parametrize("words", [("run", "--plain"), ("run", "--problems")])
def test_plain_lines_are_asked_for(project: Project, words: tuple[str, ...]) -> None:
    project.configure(SCRIPTS)
    project.write("docs/a.sh", "exit 1")
    with Terminal(project, *words, columns=300) as terminal:
        terminal.shows(r"document\.failed" if "--plain" in words else "at rest, 1 problem")
        terminal.end()
    assert b"\x1b[" not in terminal.written


def test_a_format_of_the_log_that_is_named_is_what_a_terminal_gets(project: Project) -> None:
    project.write("kahnd.toml", f'[log]\nformat = "json"\n\n{project.read("kahnd.toml")}')
    with Terminal(project, "run", columns=300) as terminal:
        terminal.shows(r'"event":"build\.finished"')


def test_a_daemon_that_cannot_start_says_why_below(project: Project) -> None:
    with project.daemon(), Terminal(project, "run") as terminal:
        terminal.shows("kahnd already works on this project")
        assert terminal.process.wait(DEADLINE_S) == 4
