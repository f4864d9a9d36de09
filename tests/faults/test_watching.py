"""The watch survives a full queue, limits, folders that come and go, and times when kahnd did not run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from e2e.harness import KAHND, Project, environment, eventually, processor_seconds
from e2e.rules import COPIES, TEXTS
from faults.event_overflow import flood, stopped


@pytest.fixture
def small(project: Project) -> Project:
    project.configure(TEXTS, COPIES)
    project.write_all({"docs/a.txt": "a", "docs/deep/er/b.txt": "b"})
    return project


def same_as_fresh(project: Project) -> bool:
    project.wait()
    return project.outputs() == project.fresh_outputs()


def is_past(moment: float) -> bool:
    return time.monotonic() > moment


# The kernel's queue


def test_an_overflow_is_noticed_reported_and_repaired(small: Project) -> None:
    with small.daemon() as daemon:
        with stopped(daemon.pid):
            flood(small.path("docs"))
            small.write("docs/a.txt", "changed")
            small.write("docs/new/folder/c.txt", "c")
            small.remove("docs/deep/er/b.txt")
        assert same_as_fresh(small)
        assert small.log("watch.overflow")
        watch = small.status()["watch"]
        assert watch["overflows"] >= 1
        assert watch["rescans"] >= 1
        with small.renders("docs/new/folder/c.txt"):
            small.write("docs/new/folder/c.txt", "the new folder is watched")


def test_an_overflow_is_repaired_without_a_wait(small: Project) -> None:
    with small.daemon() as daemon:
        with stopped(daemon.pid):
            flood(small.path("docs"))
            small.write("docs/a.txt", "changed")
        eventually(lambda: small.output("a.txt") == "changed", "what was lost is seen")


# Folders


def test_a_source_that_is_removed_renamed_and_recreated(small: Project) -> None:
    with small.daemon():
        shutil.rmtree(small.path("docs"))
        small.wait()
        assert small.outputs() == {}
        small.write("docs/a.txt", "again")
        small.wait()
        assert small.outputs() == {"a.txt": b"again"}
        small.path("docs").rename(small.path("away"))
        small.wait()
        assert small.outputs() == {}
        small.path("away").rename(small.path("docs"))
        with small.renders("docs/a.txt"):
            small.write("docs/a.txt", "and watched")


@pytest.mark.parametrize("instead", ["nothing", "a file", "a dangling link"])
def test_a_missing_source_is_reported_once_with_its_line(small: Project, instead: str) -> None:
    with small.daemon():
        for _ in range(2):
            mark = small.mark()
            small.path("docs").rename(small.path("away"))
            if instead == "a file":
                small.path("docs").touch()
            elif instead == "a dangling link":
                small.path("docs").symlink_to("nowhere")
            (told,) = eventually(partial(small.log, "source.missing", mark), "it is told")
            assert re.match(r'kahnd.toml:\d+: the source folder "docs" is missing \(', told["error"])
            small.wait()
            assert small.outputs() == {}
            small.path("docs").unlink(missing_ok=True)
            small.path("away").rename(small.path("docs"))
            eventually(small.outputs, "it is back")
            eventually(partial(is_past, time.monotonic() + 1), "that was seen")
            assert len(small.log("source.missing", mark)) == 1


@pytest.mark.smoke
def test_a_replaced_source_is_one_build(small: Project) -> None:
    with small.daemon():
        shutil.copytree(small.path("docs"), small.path("other"))
        small.write("other/a.txt", "other")
        mark = small.mark()
        small.path("docs").rename(small.path("old"))
        small.path("other").rename(small.path("docs"))
        small.wait()
        assert small.rendered(mark) == ["docs/a.txt"]
        assert small.log("document.removed", mark) == []
        with small.renders("docs/deep/er/b.txt"):
            small.write("docs/deep/er/b.txt", "the new folder is watched")


def test_moved_folders_are_watched_at_their_new_places(small: Project) -> None:
    with small.daemon():
        small.path("docs/deep").rename(small.path("docs/moved"))
        small.path("docs/moved/er").rename(small.path("docs/er"))
        small.wait()
        assert sorted(small.outputs()) == ["a.txt", "er/b.txt"]
        with small.renders("docs/er/b.txt"):
            small.write("docs/er/b.txt", "changed")
        small.path("docs/er").rename(small.root.with_name("outside"))
        small.wait()
        assert sorted(small.outputs()) == ["a.txt"]
        mark = small.mark()
        (small.root.with_name("outside") / "b.txt").write_text("not of the project")
        small.wait()
        assert small.rendered(mark) == []


# Links


def test_a_source_that_is_a_link_is_watched_at_its_target(small: Project) -> None:
    small.path("docs").rename(small.path("real"))
    small.path("docs").symlink_to("real")
    small.write("other/a.txt", "other")
    with small.daemon():
        small.wait()
        assert sorted(small.outputs()) == ["a.txt", "deep/er/b.txt"]
        with small.renders("docs/deep/er/b.txt"):
            small.write("real/deep/er/b.txt", "changed")
        small.write("real/new/c.txt", "new")
        small.wait()
        assert small.output("new/c.txt") == "new"
        small.remove("docs")
        small.path("docs").symlink_to("other")
        small.wait()
        assert small.outputs() == {"a.txt": b"other"}
        with small.renders("docs/a.txt"):
            small.write("other/a.txt", "changed")


def test_a_source_that_leads_out_of_the_project_is_reported(small: Project) -> None:
    small.path("docs").rename(small.root.with_name("outside"))
    small.path("docs").symlink_to(small.root.with_name("outside"))
    told = small.kahnd("build", "--json", code=1).json["failed"]
    assert [each["document"] for each in told] == ["docs"]
    assert "leads out of the project" in told[0]["error"]


def test_a_link_to_a_folder_outside_the_sources_is_followed(small: Project) -> None:
    small.write("shared/c.txt", "c")
    small.path("docs/link").symlink_to("../shared")
    with small.daemon():
        small.wait()
        assert small.output("link/c.txt") == "c"
        with small.renders("docs/link/c.txt"):
            small.write("shared/c.txt", "changed")
        with small.renders("docs/link/new/d.txt"):
            small.write("shared/new/d.txt", "d")
        small.path("shared").rename(small.path("away"))
        small.wait()
        assert sorted(small.outputs()) == ["a.txt", "deep/er/b.txt"]
        small.path("away").rename(small.path("shared"))
        small.wait()
        assert small.output("link/c.txt") == "changed"
        with small.renders("docs/link/c.txt"):
            small.write("shared/c.txt", "changed again")
        small.path("docs/link").unlink()
        small.wait()
        assert sorted(small.outputs()) == ["a.txt", "deep/er/b.txt"]


def test_new_links_are_followed_and_loops_are_cut(small: Project) -> None:
    small.write_all({"one/c.txt": "c", "two/d.txt": "d"})
    small.path("one/two").symlink_to("../two")
    small.path("two/one").symlink_to("../one")
    small.path("docs/up").symlink_to("..")
    small.path("docs/here").symlink_to(".")
    with small.daemon():
        small.path("docs/link").symlink_to("../one")
        small.wait()
        expected = ["a.txt", "deep/er/b.txt", "link/c.txt", "link/two/d.txt"]
        assert sorted(small.outputs()) == expected
        with small.renders("docs/link/two/d.txt"):
            small.write("two/d.txt", "changed")
        mark = small.mark()
    assert small.rendered(mark) == []
    assert small.build()["rendered"] == []


def test_a_link_to_a_file_outside_the_sources_follows_the_file(small: Project) -> None:
    small.write("shared/c.txt", "c")
    small.path("docs/c.txt").symlink_to("../shared/c.txt")
    with small.daemon():
        for text in ("one", "two"):
            with small.renders("docs/c.txt"):
                small.write("shared/c.txt", text)
        small.remove("shared/c.txt")
        small.wait()
        assert "c.txt" not in small.outputs()
        small.write("shared/c.txt", "again")
        small.wait()
        assert small.output("c.txt") == "again"


# Limits

NAMESPACED = ["unshare", "--user", "--map-root-user"]
own_limits = pytest.mark.skipif(
    subprocess.run([*NAMESPACED, "true"], check=False, capture_output=True).returncode != 0,
    reason="no user namespaces here, which limits could be set in",
)


@contextmanager
def limited_to(project: Project, watches: int) -> Iterator[int]:
    """Runs the daemon in a user namespace of its own with a limit on watches, and yields its process."""
    limit = f"echo {watches} > /proc/sys/user/max_inotify_watches"
    command = [*NAMESPACED, "sh", "-c", f"{limit} && exec {KAHND} run"]
    with subprocess.Popen(
        command, cwd=project.root, env=environment(project.env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            eventually(lambda: project.log("scan.finished"), "the daemon starts")
            eventually(lambda: project.status(code=None)["state"] in {"idle", "degraded"}, "the daemon is at rest")
            yield process.pid
        finally:
            process.terminate()


@own_limits
def test_folders_without_a_watch_are_polled_and_reported(small: Project) -> None:
    small.write_all({f"docs/{number}/c.txt": "c" for number in range(12)})
    with limited_to(small, 8) as pid:
        small.kahnd("wait")
        status = small.status()
        assert status["state"] == "degraded"
        unwatched = status["watch"]["unwatched"]
        assert unwatched
        assert status["watch"]["backend"] == "inotify"
        told = small.log("watch.unwatched")
        assert told[0]["remedy"].startswith("sysctl fs.inotify.max_user_watches=")
        small.path(f"{unwatched[0]}/c.txt").write_text("seen without waiting")
        inner = unwatched[0].removeprefix("docs/")
        eventually(lambda: small.output(f"{inner}/c.txt") == "seen without waiting", "it is polled")
        for number in range(12):
            small.path(f"docs/{number}/c.txt").write_text("changed")
        assert same_as_fresh(small)
        limit = "echo 1000 > /proc/sys/user/max_inotify_watches"
        subprocess.run(["nsenter", "--user", "--preserve-credentials", "-t", f"{pid}", "sh", "-c", limit], check=True)
        eventually(lambda: small.status()["state"] == "idle", "all is watched")
        assert small.status()["watch"]["unwatched"] == []
        assert small.log("watch.restored")
        assert len(small.log("watch.unwatched")) == 1


@own_limits
def test_without_any_watch_everything_is_polled(small: Project) -> None:
    with limited_to(small, 0):
        assert small.status()["watch"]["backend"] == "polling"
        small.write("docs/a.txt", "changed")
        small.write("docs/new/c.txt", "c")
        assert same_as_fresh(small)


def test_polling_by_config(small: Project) -> None:
    small.configure(TEXTS, extra='[watch]\npolling = "always"\n')
    with small.daemon():
        status = small.status()
        assert (status["state"], status["watch"]["backend"]) == ("idle", "polling")
        small.write("docs/a.txt", "seen without waiting")
        eventually(lambda: small.output("a.txt") == "seen without waiting", "it is polled")
        small.write("docs/new/c.txt", "c")
        assert same_as_fresh(small)


def test_watchfiles_by_config(small: Project) -> None:
    small.configure(TEXTS, COPIES, extra='[watch]\nevents = "watchfiles"\n')
    small.write_all({f"elsewhere/{one}/{two}.txt": "c" for one in range(20) for two in range(20)})
    with small.daemon():
        status = small.status()
        assert (status["state"], status["watch"]["backend"]) == ("idle", "watchfiles")
        small.write("docs/a.txt", "seen without waiting")
        eventually(lambda: small.output("a.txt") == "seen without waiting", "it is rendered")
        subprocess.run(["cp", "-r", str(small.path("elsewhere")), str(small.path("docs/copied"))], check=True)
        assert same_as_fresh(small)
        assert len(small.outputs()) == 402
        small.path("docs").rename(small.path("old"))
        small.path("elsewhere").rename(small.path("docs"))
        assert same_as_fresh(small)
        assert len(small.outputs()) == 400
        with small.renders("docs/0/0.txt"):
            small.write("docs/0/0.txt", "the new folder is watched")


# Times when kahnd did not run


def test_changes_made_while_no_daemon_ran_are_found(small: Project) -> None:
    small.write_all({f"docs/{name}.txt": name for name in ("touched", "gone", "moved", "dated", "swapped", "same")})
    with small.daemon() as daemon:
        daemon.kill()
    before = small.path("docs/dated.txt").stat()
    small.path("docs/dated.txt").write_text("DATED")
    os.utime(small.path("docs/dated.txt"), ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(small.path("docs/touched.txt"))
    small.remove("docs/gone.txt")
    small.path("docs/moved.txt").rename(small.path("docs/deep/moved.txt"))
    shutil.copy2(small.path("docs/same.txt"), small.path("docs/copy.txt"))
    small.path("docs/copy.txt").replace(small.path("docs/swapped.txt"))
    small.write("docs/new/c.txt", "c")
    mark = small.mark()
    with small.daemon():
        assert same_as_fresh(small)
        assert small.rendered(mark) == sorted(
            ["docs/dated.txt", "docs/deep/moved.txt", "docs/new/c.txt", "docs/swapped.txt"]
        )


def test_an_idle_daemon_does_nothing(small: Project) -> None:
    small.build()
    with small.daemon() as daemon:

        def worked_s() -> float:
            before, until = processor_seconds(daemon.pid), time.monotonic() + 3
            eventually(partial(is_past, until), "it was watched for so long")
            return processor_seconds(daemon.pid) - before

        eventually(lambda: worked_s() < 0.1, "all that begins with the start is over, and nothing else is done")
