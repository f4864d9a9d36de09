"""Requests are answered when their targets are up to date, with what happened since and what is broken."""

from __future__ import annotations

from core.world import World, at_rest
from kahnd.core.model import Problem, Status

PAIR = {"docs/a.md": "one", "docs/b.md": "output docs/a.md", "docs/other.md": "alone"}


def test_with_nothing_to_do_a_request_is_answered_at_once() -> None:
    world = at_rest(PAIR)
    report = world.answers[world.ask()]
    assert (report.rendered, report.skipped, report.failed, report.blocked, report.removed) == ((), (), (), (), ())


def test_a_request_for_everything_is_answered_when_all_is_quiet() -> None:
    world = at_rest(PAIR)
    world.write("docs/a.md", "two")
    world.write("docs/other.md", "two")
    ticket = world.ask()
    for document in ("docs/a.md", "docs/other.md"):
        world.finish(document)
        assert ticket not in world.answers
    world.finish("docs/b.md")
    assert world.answers[ticket].rendered == ("docs/a.md", "docs/other.md", "docs/b.md")


def test_a_request_for_a_target_is_answered_when_it_and_its_dependencies_are_finished() -> None:
    world = at_rest(PAIR)
    world.write("docs/a.md", "two")
    world.write("docs/other.md", "two")
    ticket = world.ask("docs/b.md")
    world.finish("docs/a.md")
    assert ticket not in world.answers
    world.finish("docs/b.md")
    assert world.answers[ticket].rendered == ("docs/a.md", "docs/b.md")
    assert list(world.running) == ["docs/other.md"]


def test_each_request_reports_what_happened_since_it_was_made() -> None:
    world = at_rest(PAIR)
    world.save("docs/a.md", "two")
    first = world.ask()
    world.finish("docs/a.md")
    second = world.ask()
    world.settle()
    assert world.answers[first].rendered == ("docs/a.md", "docs/b.md")
    assert world.answers[second].rendered == ("docs/b.md",)


def test_a_report_lists_only_broken_targets() -> None:
    world = at_rest({"docs/a.md": "fail", "docs/b.md": "output docs/a.md", "docs/x.md": "fail"})
    everything = world.answers[world.ask()]
    assert [document for document, _ in everything.failed] == ["docs/a.md", "docs/x.md"]
    blocked = Problem("needs docs/a.md, which failed", "docs/b.md", 1)
    assert everything.blocked == (("docs/b.md", "docs/a.md", blocked),)
    of_b = world.answers[world.ask("docs/b.md")]
    assert [document for document, _ in of_b.failed] == ["docs/a.md"], "a.md is among what b.md needs"
    assert world.answers[world.ask("docs/x.md")].blocked == ()


def test_a_report_counts_skipped_and_removed() -> None:
    world = at_rest(PAIR)
    world.write("docs/a.md", "one\n")
    world.delete("docs/other.md")
    asked = world.asked()
    world.start(asked)
    world.settle()
    report = world.answers[asked.ticket]
    assert (report.rendered, report.skipped) == (("docs/a.md",), ("docs/b.md",))
    assert report.removed == ("site/other.html",)


def test_retry_renders_failed_documents_only() -> None:
    world = at_rest({**PAIR, "docs/x.md": "fail"})
    ticket = world.ask(retry=True)
    assert list(world.running) == ["docs/x.md"]
    world.settle()
    assert [document for document, _ in world.answers[ticket].failed] == ["docs/x.md"]


def test_force_renders_everything_once() -> None:
    world = at_rest(PAIR)
    world.ask(force=True)
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/other.md"]
    world.save("docs/a.md", "one\n")
    assert world.settle() == ["docs/a.md"]


def test_force_for_a_target_renders_its_dependencies_too() -> None:
    world = at_rest(PAIR)
    world.ask("docs/b.md", force=True)
    assert world.settle() == ["docs/a.md", "docs/b.md"]


def test_a_session_for_a_target_renders_only_its_dependencies() -> None:
    world = World({**PAIR, "docs/c.md": "output docs/b.md"})
    asked = world.asked("docs/b.md")
    world.start(asked)
    world.settle()
    assert sorted(world.rendered) == ["docs/a.md", "docs/b.md"]
    assert world.answers[asked.ticket].rendered == ("docs/a.md", "docs/b.md")
    assert world.status("docs/other.md") is Status.DIRTY


def test_the_next_session_renders_what_a_session_for_a_target_left_out() -> None:
    world = World(PAIR)
    world.start(world.asked("docs/a.md"))
    world.settle()
    world.start()
    assert world.settle() == ["docs/b.md", "docs/other.md"]


def test_a_session_for_a_target_renders_dependencies_discovered_out_of_scope() -> None:
    world = World({"docs/a.md": "find-output docs/far.md", "docs/far.md": "far", "docs/other.md": ""})
    world.start(world.asked("docs/a.md"))
    assert world.settle() == ["docs/a.md", "docs/far.md"]
    assert world.outputs.texts["site/a.html"] == "far "


def test_a_session_for_a_request_counts_what_it_did_before_it_could_open_it() -> None:
    world = at_rest(PAIR)
    world.delete("docs/other.md")
    asked = world.asked()
    world.start(asked)
    world.settle()
    assert world.answers[asked.ticket].removed == ("site/other.html",)


def test_a_build_is_recorded_with_its_cause_and_counts() -> None:
    world = at_rest({**PAIR, "docs/x.md": "fail"})
    record = world.builds[-1]
    assert (record.cause, record.rendered, record.failed, record.generations) == ("start", 3, 1, 2)
    world.save("docs/a.md", "one\n")
    world.settle()
    record = world.builds[-1]
    assert (record.cause, record.rendered, record.skipped) == ("saved", 1, 1)


def with_one_worker() -> World:
    world = World(PAIR, slots=1)
    world.start()
    world.settle()
    return world


def test_a_withdrawn_request_is_not_answered_and_the_build_goes_on() -> None:
    world = at_rest(PAIR)
    world.write("docs/a.md", "two")
    gone, staying = world.ask(), world.ask()
    world.withdraw(gone)
    world.settle()
    assert gone not in world.answers
    assert world.answers[staying].rendered == ("docs/a.md", "docs/b.md")


def test_a_withdrawn_request_forces_nothing_any_more() -> None:
    world = with_one_worker()
    ticket = world.ask(force=True)
    (running,) = world.running
    world.withdraw(ticket)
    waiting = world.ask()
    world.settle()
    assert world.answers[waiting].rendered == (running,)
    assert set(world.answers[waiting].skipped) == set(PAIR) - {running}


def test_documents_of_another_forced_request_are_still_rendered() -> None:
    world = at_rest(PAIR)
    gone = world.ask(force=True)
    staying = world.ask(force=True)
    world.withdraw(gone)
    world.settle()
    assert sorted(world.answers[staying].rendered) == sorted(PAIR)


def test_a_lost_output_is_rendered_again_after_a_forced_request_was_withdrawn() -> None:
    world = with_one_worker()
    ticket = world.ask(force=True)
    (running,) = world.running
    other = "docs/other.md" if running != "docs/other.md" else "docs/a.md"
    output = other.replace("docs/", "site/").replace(".md", ".html")
    world.lose_output(output)
    world.withdraw(ticket)
    world.settle()
    assert output in world.outputs.texts
