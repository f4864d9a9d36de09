"""Variables override keys; the store's password goes to a server that the environment names, and to no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.helpers import Loader
from kahnd.config.env_variables import PASSWORD_FOR, server_of
from kahnd.errors import ConfigError

SMALL = '[project]\nname = "small"\nsources = ["docs"]\n'
WITH_POOL = '[project]\nname = "small"\nsources = ["docs"]\n[pool]\nworkers = 1\n'
SECRET = {"KAHND_STORE__USER": "root", "KAHND_STORE__PASSWORD": "hush-hush"}


def with_url(url: str) -> str:
    return f'{SMALL}[store]\nurl = "{url}"\n'


def refused(loaded: Loader, text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as raised:
        loaded(text, **SECRET, **environ)
    (problem,) = raised.value.problems
    assert "hush-hush" not in str(problem)
    return str(problem)


def test_a_server_that_only_the_file_names_gets_no_password(loaded: Loader) -> None:
    told = refused(loaded, with_url("wss://db.example:8000/rpc"))
    assert told.startswith("kahnd.toml:5: kahnd.toml names the server wss://db.example:8000")
    assert "set KAHND_STORE__PASSWORD_FOR=wss://db.example:8000" in told


def test_without_a_user_any_server_may_be_named(loaded: Loader) -> None:
    assert loaded(with_url("ws://db.example:8000/rpc")).store.user is None


def test_an_embedded_database_needs_no_permission(loaded: Loader) -> None:
    assert loaded(SMALL, **SECRET).store.password == SECRET["KAHND_STORE__PASSWORD"]


def test_a_server_that_the_environment_names_gets_the_password(loaded: Loader) -> None:
    config = loaded(with_url("wss://evil.example"), KAHND_STORE__URL="wss://db.example/rpc", **SECRET)
    assert (config.store.url, config.store.user) == ("wss://db.example/rpc", "root")


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("wss://db.example:8000/rpc", "wss://db.example:8000"),
        ("wss://DB.example./rpc", "wss://other wss://db.EXAMPLE:443/rpc"),
        ("ws://localhost:8000/rpc", "ws://localhost:8000"),
        ("ws://127.0.0.1/rpc", "ws://127.0.0.1:80"),
        ("ws://[::1]:8000", "ws://[0:0::1]:8000"),
        ("ws://[::ffff:127.0.0.1]:8000", "ws://[::ffff:7f00:1]:8000"),
        ("wss://db.example/behind/a/proxy/rpc", "wss://db.example"),
    ],
)
def test_a_server_may_be_allowed_by_a_variable_of_its_own(loaded: Loader, url: str, servers: str) -> None:
    assert loaded(with_url(url), KAHND_STORE__PASSWORD_FOR=servers, **SECRET).store.user == "root"


@pytest.mark.parametrize(
    "url",
    [
        "wss://db.example",
        "wss://db.example:8001",
        "ws://db.example:8000",
        "wss://db.example.evil:8000",
        "wss://evil/db.example:8000",
        "wss://db.example:8000/rpc.evil/rpc",
        "wss://db.example/rpc:8000",
        "wss://db.example:8000?x=@evil",
        "wss://db.example:8000#@evil",
        "wss://evil\\\\@db.example:8000",
        "wss://db.example:8000\\\\.evil",
        "wss://db.exam\\tple:8000",
        "wss://db.example%2eevil:8000",
        "wss://ｄb.example:8000",  # noqa: RUF001 - what is tested here
        "wss://db.example:99999",
        "wss://[db.example:8000",
    ],
)
def test_a_server_with_a_similar_name_gets_no_password(loaded: Loader, url: str) -> None:
    with pytest.raises(ConfigError):
        loaded(with_url(url), **{PASSWORD_FOR: "wss://db.example:8000"}, **SECRET)


@pytest.mark.parametrize(
    "url", ["ws://db.example:8000/rpc", "ws://10.0.0.1/rpc", "ws://127.evil", "ws://localhost.evil"]
)
def test_the_password_is_never_sent_unencrypted(loaded: Loader, url: str) -> None:
    assert "not encrypted" in refused(loaded, SMALL, KAHND_STORE__URL=url)
    server = str(server_of(url))
    assert "use wss://" in refused(loaded, with_url(url), KAHND_STORE__PASSWORD_FOR=server)


@pytest.mark.parametrize("server", ["db.example", "db.example:8000", "https://db.example", "wss://u:hush@db.example"])
def test_a_word_that_names_no_server_is_an_error(loaded: Loader, server: str) -> None:
    with pytest.raises(ConfigError, match=r"KAHND_STORE__PASSWORD_FOR: word 2 names no server") as raised:
        loaded(SMALL, KAHND_STORE__PASSWORD_FOR=f"wss://db.example {server}")
    assert server not in str(raised.value)  # it may be, or hold, the password


@given(
    st.sampled_from(["ws", "wss"]),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True),
    st.integers(1, 65535),
)
def test_a_servers_text_names_the_same_server(scheme: str, host: str, port: int) -> None:
    origin = server_of(f"{scheme}://{host.upper()}:{port}/rpc")
    assert origin is not None
    assert server_of(str(origin)) == origin


@given(st.text(st.characters(codec="ascii")))
def test_any_text_can_be_parsed_as_a_server(text: str) -> None:
    server_of(f"wss://{text}")
    server_of(text)


def test_a_variable_overrides_the_file(loaded: Loader) -> None:
    assert loaded(WITH_POOL, KAHND_POOL__WORKERS="4").pool.workers == 4


@pytest.mark.parametrize(
    ("text", "value"), [("ws://db:1/rpc", "ws://db:1/rpc"), ('"wss://db"', "wss://db"), ("'ws://a b'", "ws://a b")]
)
def test_a_text_needs_no_quotes(loaded: Loader, text: str, value: str) -> None:
    assert loaded(WITH_POOL, KAHND_STORE__URL=text).store.url == value


def test_a_text_may_look_like_a_number(loaded: Loader) -> None:
    assert loaded(WITH_POOL, KAHND_STORE__DATABASE="2026").store.database == "2026"


def test_a_word_may_stand_for_a_number(loaded: Loader) -> None:
    assert loaded(WITH_POOL, KAHND_POOL__WORKERS="auto").pool.workers >= 1


def test_a_list_is_written_as_in_the_file(loaded: Loader) -> None:
    assert loaded(WITH_POOL, KAHND_PROJECT__SOURCES='["a", "b"]').layout.sources == ("a", "b")


def test_a_line_break_adds_no_keys(loaded: Loader) -> None:
    assert loaded(WITH_POOL, KAHND_STORE__NAMESPACE='"a"\nx = 1').store.namespace == '"a"\nx = 1'


def test_other_variables_are_ignored(loaded: Loader) -> None:
    assert loaded(WITH_POOL, KAHND="1", KAHND_HOME="x", HOME="y").name == "small"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("KAHND_POOL__WROKERS", "KAHND_POOL__WORKERS"),
        ("KAHND_STORE__PASWORD", "KAHND_STORE__PASSWORD"),
        ("KAHND_POOL__BACKEND", ""),
        ("KAHND_RULES__MATCH", ""),
    ],
)
def test_an_unknown_variable_is_reported_without_its_value(loaded: Loader, name: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(WITH_POOL, **{name: "hush-hush"})
    (problem,) = raised.value.problems
    assert problem.message.startswith(f"{name}: ")
    assert nearest in problem.remedy
    assert "hush-hush" not in str(problem)


def test_a_wrong_value_is_reported_with_its_variable_and_no_line(loaded: Loader) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(WITH_POOL, KAHND_WATCH__SETTLE_MS="soon")
    (problem,) = raised.value.problems
    assert problem.message == "KAHND_WATCH__SETTLE_MS: watch.settle_ms: expected an integer, got text"
    assert (problem.file, problem.line) == ("", 0)


def test_a_variable_replaces_a_wrong_value_of_the_file(loaded: Loader) -> None:
    assert loaded(WITH_POOL.replace("workers = 1", "workers = 0"), KAHND_POOL__WORKERS="2").pool.workers == 2
