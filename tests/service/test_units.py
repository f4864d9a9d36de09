"""The units that are shipped and written: systemd itself says whether they are right."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kahnd.errors import UsageError
from kahnd.service import units

SHIPPED = Path(__file__).parents[2] / "systemd" / "kahnd@.service"
DOCS = Path(__file__).parents[2] / "docs" / "service.md"
NEWER = re.compile(r"Unknown key (name )?'(RestartSteps|RestartMaxDelaySec)' in section .*, ignoring\.")
"""What systemd before 254 says to what it does not know yet."""
ODD = ("a b", "100%", "%h", "$HOME", 'q"uote', "back\\slash", "ünïcode", "'single'", ".hidden", "-dash", ";semi", "#no")
MOST_EXPOSED = 7.8
"""Of 10; a user's own manager can forbid little more, see docs/service.md."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the shipped unit looks for kahnd."""
    (tmp_path / "run").mkdir()
    _program(tmp_path / ".local" / "bin" / "kahnd")
    return tmp_path


def _program(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return place


def analyze(home: Path, *words: str) -> str:
    """What `systemd-analyze` says for a user's own units; it must find no fault."""
    environment = os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    done = subprocess.run(
        ["systemd-analyze", "--user", "--no-pager", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def verify(home: Path, unit: Path) -> None:
    """Systemd takes all of it; but for what came with later versions, it has nothing to say."""
    said = analyze(home, "verify", str(unit)).splitlines()
    assert [line for line in said if not NEWER.search(line)] == []


def test_the_shipped_unit_is_the_one_that_is_installed() -> None:
    assert SHIPPED.read_text() == units.template()


def test_the_shipped_unit_is_right(home: Path) -> None:
    verify(home, SHIPPED)


def test_a_unit_that_is_wrong_is_found_to_be_so(home: Path, tmp_path: Path) -> None:
    unit = tmp_path / "kahnd@wrong.service"
    unit.write_text(units.template().replace("Restart=on-failure", "Restart=now-and-then"))
    with pytest.raises(AssertionError):
        verify(home, unit)


def test_an_installed_unit_exposes_as_little_as_the_documentation_says(home: Path) -> None:
    said = analyze(home, "security", "--offline=true", str(SHIPPED))
    (score,) = re.findall(r"Overall exposure level for .*: (\d+\.\d)", said)
    assert float(score) <= MOST_EXPOSED
    assert re.search(rf"exposure of at most {MOST_EXPOSED}", DOCS.read_text())


@pytest.mark.parametrize("odd", ODD)
def test_whatever_its_paths_are_a_unit_is_right(home: Path, tmp_path: Path, odd: str) -> None:
    """Systemd looks for the program: it must have read its path as it is."""
    root, program = tmp_path / "projects" / odd, _program(tmp_path / "bin" / odd / "kahnd")
    root.mkdir(parents=True)
    unit = tmp_path / units.name(root)
    unit.write_text(units.for_project(root, [str(program)], f"/usr/bin:{program.parent}"))
    verify(home, unit)
    if not set(odd) & set("\"'\\"):  # those are started by a shell
        program.unlink()
        with pytest.raises(AssertionError, match="not executable"):
            verify(home, unit)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
@example("/")
@example("/.hidden/a-b/c d")
def test_a_path_is_escaped_as_systemd_does_it(path: str) -> None:
    absolute = Path(os.path.normpath(f"/{path}"))
    told = subprocess.run(["systemd-escape", "--path", "--", str(absolute)], capture_output=True, check=False)
    if told.returncode == 0:  # it takes no path that is too long for it, nor every odd one
        assert units.escaped(absolute) == told.stdout.removesuffix(b"\n").decode()


def test_a_path_that_is_too_long_for_a_name_has_one_of_its_own(home: Path, tmp_path: Path) -> None:
    root = Path("/" + "/".join(["long" * 20] * 4))
    name = units.name(root)
    assert name != units.name(root / "other")
    assert len(name) <= units.LONGEST_NAME
    unit = tmp_path / name
    unit.write_text(units.for_project(root, [str(_program(tmp_path / "kahnd"))], "/usr/bin"))
    verify(home, unit)


@pytest.mark.parametrize("name", ["new\nline", "tab\t", "half\udcff"])
def test_a_path_that_no_unit_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not all of it is text"):
        units.for_project(Path("/projects") / name, ["/usr/bin/kahnd"], "/usr/bin")
