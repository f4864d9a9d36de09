from __future__ import annotations

import pytest

from config.helpers import Loader
from kahnd.errors import ConfigError

SMALL = '[project]\nname = "small"\nsources = ["docs"]\n[pool]\nworkers = 1\n'


def test_a_variable_goes_before_the_file(loaded: Loader) -> None:
    assert loaded(SMALL, KAHND_POOL__WORKERS="4").pool.workers == 4


@pytest.mark.parametrize(
    ("text", "value"), [("ws://db:1/rpc", "ws://db:1/rpc"), ('"wss://db"', "wss://db"), ("'ws://a b'", "ws://a b")]
)
def test_a_text_needs_no_quotes(loaded: Loader, text: str, value: str) -> None:
    assert loaded(SMALL, KAHND_STORE__URL=text).store.url == value


def test_a_text_may_look_like_a_number(loaded: Loader) -> None:
    assert loaded(SMALL, KAHND_STORE__DATABASE="2026").store.database == "2026"


def test_a_word_may_stand_for_a_number(loaded: Loader) -> None:
    assert loaded(SMALL, KAHND_POOL__WORKERS="auto").pool.workers >= 1


def test_a_list_is_written_as_in_the_file(loaded: Loader) -> None:
    assert loaded(SMALL, KAHND_PROJECT__SOURCES='["a", "b"]').layout.sources == ("a", "b")


def test_a_line_break_smuggles_nothing_in(loaded: Loader) -> None:
    assert loaded(SMALL, KAHND_STORE__NAMESPACE='"a"\nx = 1').store.namespace == '"a"\nx = 1'


def test_others_variables_are_left_alone(loaded: Loader) -> None:
    assert loaded(SMALL, KAHND="1", KAHND_HOME="x", HOME="y").name == "small"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("KAHND_POOL__WROKERS", "KAHND_POOL__WORKERS"),
        ("KAHND_STORE__PASWORD", "KAHND_STORE__PASSWORD"),
        ("KAHND_POOL__BACKEND", ""),
        ("KAHND_RULES__MATCH", ""),
    ],
)
def test_an_unknown_variable_is_named_and_its_value_is_not(loaded: Loader, name: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(SMALL, **{name: "hush-hush"})
    (problem,) = raised.value.problems
    assert problem.message.startswith(f"{name}: ")
    assert nearest in problem.remedy
    assert "hush-hush" not in str(problem)


def test_a_wrong_value_names_the_variable_and_no_line(loaded: Loader) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(SMALL, KAHND_WATCH__SETTLE_MS="soon")
    (problem,) = raised.value.problems
    assert problem.message == "KAHND_WATCH__SETTLE_MS: watch.settle_ms: expected an integer, got text"
    assert (problem.file, problem.line) == ("", 0)


def test_a_good_variable_mends_a_broken_value_of_the_file(loaded: Loader) -> None:
    assert loaded(SMALL.replace("workers = 1", "workers = 0"), KAHND_POOL__WORKERS="2").pool.workers == 2
