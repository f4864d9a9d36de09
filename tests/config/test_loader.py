from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from pathlib import Path

import msgspec
import pytest

from config.helpers import Loader, schemas
from kahnd.config.loader import PoolConfig, load, log_config
from kahnd.config.tables import LogTable, RendererSchema, ServeTable, WatchTable
from kahnd.core.model import DocumentId, Problem
from kahnd.core.rules import PluginEnvironment
from kahnd.errors import ConfigError
from kahnd.render.renderers.parameters import CommandParameters, PageParameters

SMALL = '[project]\nsources = ["docs"]\n'
PAGES = '[[rules]]\nmatch = "docs/**/*.md"\nrenderer = "page"\n'
PLUGIN = '[[rules]]\nmatch = "docs/*.plug"\nrenderer = "python"\nfunction = "a:b"\n'
COMMAND = '[[rules]]\nmatch = "docs/*.dot"\nrenderer = "command"\noutput = "{stem}.svg"\n'


def _problems(loaded: Loader, text: str | bytes, **environ: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as raised:
        loaded(text, **environ)
    return raised.value.problems


def _problem(loaded: Loader, text: str | bytes, **environ: str) -> Problem:
    (problem,) = _problems(loaded, text, **environ)
    return problem


# What is right


def test_only_sources_are_required(loaded: Loader, tmp_path: Path) -> None:
    config = loaded(SMALL)
    assert (config.root, config.file, config.name) == (tmp_path, tmp_path / "kahnd.toml", tmp_path.name)
    assert (config.layout.sources, config.layout.output, config.layout.rules) == (("docs",), "site", ())
    assert config.ignore == ()
    assert (config.store.url, config.store.namespace, config.store.database) == (
        "surrealkv://.kahnd/db",
        "kahnd",
        "kahnd",
    )
    assert config.watch == WatchTable(settle_ms=10, rescan_s=300, polling="auto", events="auto")
    memory_mb = _memory_of_the_machine() // 2
    assert config.pool == PoolConfig(os.cpu_count() or 1, timeout_s=60, grace_s=10, memory_mb=memory_mb, output_mb=256)
    assert config.log == LogTable(level="info", format="auto", file=".kahnd/log/kahnd.jsonl")
    assert config.serve == ServeTable(
        enabled=True, host="127.0.0.1", port=8300, editor="vscode://file/{path}:{line}:{column}"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_a_host_of_this_machine_may_be_configured(loaded: Loader, host: str) -> None:
    assert loaded(f'{SMALL}[serve]\nhost = "{host}"\n').serve.host == host


def test_who_starts_kahnd_may_name_any_host(loaded: Loader) -> None:
    """`kahnd run --host` sets this variable."""
    config = loaded(f'{SMALL}[serve]\nhost = "0.0.0.0"\neditor = ""\n', KAHND_SERVE__HOST="192.168.0.7")
    assert (config.serve.host, config.serve.editor) == ("192.168.0.7", "")


def test_every_key_is_read(loaded: Loader) -> None:
    config = loaded("""
[project]
name = "handbook"
sources = ["docs/", "./data"]
output = "out/../public"
ignore = ["drafts/**"]
[store]
url = "ws://db:8000/rpc"
namespace = "n"
database = "d"
[watch]
settle_ms = 0
rescan_s = 0
polling = "never"
events = "watchfiles"
[pool]
workers = 3
timeout_s = 0.5
grace_s = 0
memory_mb = 512
output_mb = 64
[log]
level = "debug"
format = "json"
file = "log/k.jsonl"
""")
    assert (config.name, config.ignore, config.layout.output) == ("handbook", ("drafts/**",), "public")
    assert config.layout.sources == ("docs", "data")
    assert (config.store.url, config.store.namespace, config.store.database) == ("ws://db:8000/rpc", "n", "d")
    assert config.watch == WatchTable(settle_ms=0, rescan_s=0, polling="never", events="watchfiles")
    assert config.pool == PoolConfig(workers=3, timeout_s=0.5, grace_s=0, memory_mb=512, output_mb=64)
    assert config.log == LogTable(level="debug", format="json", file="log/k.jsonl")


def _memory_of_the_machine() -> int:
    """In megabytes."""
    (line,) = (each for each in Path("/proc/meminfo").read_text().splitlines() if each.startswith("MemTotal:"))
    return int(line.split()[1]) // 1024


def test_rules_have_their_renderers_parameters_and_their_lines(loaded: Loader) -> None:
    rules = loaded(
        f'{SMALL}{PAGES}template = "t.html"\n{COMMAND}command = ["dot", "{{source}}", "{{output}}"]\n'
    ).layout.rules
    assert [(rule.index, rule.renderer, rule.line) for rule in rules] == [(0, "page", 3), (1, "command", 7)]
    assert rules[0].parameters == PageParameters(template="t.html")
    assert rules[1].parameters == CommandParameters(command=("dot", "{source}", "{output}"))
    assert all(rule.recipe is None for rule in rules)


@pytest.mark.parametrize("given", [".venv", "tools/./env", "/opt/env"])
def test_the_environment_of_plug_ins_is_a_folder_with_its_line(loaded: Loader, given: str) -> None:
    assert loaded(SMALL).layout.environment is None
    layout = loaded(f'{SMALL}[plugins]\npython = "{given}"\n').layout
    assert layout.environment == PluginEnvironment(given.replace("./", ""), 4)


def test_a_rule_without_output_uses_its_renderers(loaded: Loader) -> None:
    layout = loaded(SMALL + PAGES).layout
    assert layout.output_of(DocumentId("docs/a/b.md")) == "site/a/b.html"


def test_only_a_servers_database_is_named_after_the_project(loaded: Loader) -> None:
    named = f'{SMALL}name = "book"\n'
    assert loaded(f'{named}[store]\nurl = "ws://db:8000/rpc"\n').store.database == "book"
    assert loaded(named).store.database == "kahnd"


def test_an_output_folder_may_lie_in_a_source(loaded: Loader) -> None:
    assert loaded('[project]\nsources = ["."]\n').layout.output == "site"


def test_sources_may_lie_in_one_another(loaded: Loader) -> None:
    assert loaded('[project]\nsources = ["docs", "docs/api"]\n').layout.sources == ("docs", "docs/api")


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(loaded: Loader) -> None:
    assert loaded(b'\xef\xbb\xbf[project]\r\nsources = ["docs"]\r\n').layout.sources == ("docs",)
    assert _problem(loaded, b'\xef\xbb\xbf[project]\r\nsources = ["docs"]\r\nx = 1\r\n').line == 3


def test_it_is_frozen(loaded: Loader) -> None:
    config = loaded(SMALL)
    with pytest.raises(FrozenInstanceError):
        config.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        config.watch.settle_ms = 1  # type: ignore[misc]


def test_missing_sources_are_no_errors(loaded: Loader, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    missing = loaded('[project]\nsources = [\n  "docs",\n  "dosc",\n]\n').missing_sources()
    assert missing == (Problem('the source folder "dosc" is missing', "kahnd.toml", 4, 'did you mean "docs"?'),)


def test_a_missing_source_of_the_environment_has_no_line(loaded: Loader) -> None:
    (missing,) = loaded(SMALL, KAHND_PROJECT__SOURCES='["other"]').missing_sources()
    assert missing.line == 0


# What is wrong

WRONG: dict[str, tuple[str, int, str, str]] = {
    "an unknown key": (f"{SMALL}[pool]\nwrokers = 2\n", 4, 'unknown key "wrokers" in [pool]', '"workers"'),
    "a key of a later version": (f'{SMALL}[pool]\nbackend = "dask"\n', 4, 'unknown key "backend"', "known are"),
    "an unknown table": (f"{SMALL}[wacth]\nx = 1\n", 3, 'unknown table "wacth"', '"watch"'),
    "a table of a later version": (f"{SMALL}[publish]\nport = 1\n", 3, 'unknown table "publish"', ""),
    "a host of other machines": (
        f'{SMALL}[serve]\nhost = "0.0.0.0"\n',
        4,
        "other machines",
        "kahnd run --host 0.0.0.0",
    ),
    "a host by its name": (f'{SMALL}[serve]\nhost = "docs.example"\n', 4, "other machines", "--host docs.example"),
    "a port that is none": (f"{SMALL}[serve]\nport = 65536\n", 4, "serve.port: expected an integer <= 65535", ""),
    "an editor that is a script": (f'{SMALL}[serve]\neditor = "JavaScript:x"\n', 4, "opens an editor", "vscode://"),
    "an editor that is a web page": (
        f'{SMALL}[serve]\neditor = "HTTP://x/{{path}}"\n',
        4,
        "opens an editor",
        "vscode://",
    ),
    "an editor that is no address": (f'{SMALL}[serve]\neditor = "code {{path}}"\n', 4, "opens an editor", "vscode://"),
    "a place that no editor has": (f'{SMALL}[serve]\neditor = "x://{{row}}"\n', 4, "unknown placeholder {row}", ""),
    "a key above all tables": (f"output = 1\n{SMALL}", 1, 'unknown key "output"', "known are"),
    "a table that is a value": (f"watch = 1\n{SMALL}", 1, '"watch" must be a table', "[watch]"),
    "a wrong type": (f'{SMALL}[watch]\nsettle_ms = "10"\n', 4, "watch.settle_ms: expected an integer, got text", ""),
    "a truth that is a number": (f"{SMALL}{PAGES}templating = 1\n", 6, "templating: expected true or false", ""),
    "a wrong type in a list": ('[project]\nsources = [\n"a",\n1]\n', 4, "project.sources[2]: expected text", ""),
    "a number too small": (f"{SMALL}[pool]\nworkers = 0\n", 4, "pool.workers: expected an integer >= 1", ""),
    "a time-out of nothing": (f"{SMALL}[pool]\ntimeout_s = 0\n", 4, "pool.timeout_s: expected a number > 0", ""),
    "a time-out that never ends": (f"{SMALL}[pool]\ntimeout_s = inf\n", 4, "pool.timeout_s", ""),
    "a time-out that is no number": (f"{SMALL}[pool]\ntimeout_s = nan\n", 4, "pool.timeout_s", ""),
    "a word that is no choice": (f'{SMALL}[watch]\npolling = "alwys"\n', 4, '"alwys"', '"always"'),
    "a word for a number": (f'{SMALL}[pool]\nworkers = "atuo"\n', 4, '"atuo"', '"auto"'),
    "no sources": ('[project]\nname = "x"\n', 1, '"sources" is missing in [project]', ""),
    "no project": ("[pool]\nworkers = 1\n", 1, '"sources" is missing in [project]', ""),
    "an empty list of sources": ("[project]\nsources = []\n", 2, "project.sources is empty", "docs"),
    "a source outside": ('[project]\nsources = ["a", "a/../../b"]\n', 2, "outside the project", "relative"),
    "an absolute source": ('[project]\nsources = ["/etc"]\n', 2, 'source "/etc" is outside', "relative"),
    "a source twice": ('[project]\nsources = ["a",\n"./a/"]\n', 3, "is named twice", '"a"'),
    "kahnd's own folder": ('[project]\nsources = [".kahnd/log"]\n', 2, "is kahnd's own", ""),
    "an output outside": (f'{SMALL}output = "../site"\n', 3, 'output "../site" is outside', "relative"),
    "an output that is a source": (f'{SMALL}output = "docs"\n', 3, "holds the source", "site"),
    "an output that holds a source": (f'{SMALL}output = "."\n', 3, "holds the source", "site"),
    "an output in kahnd's own folder": (f'{SMALL}output = ".kahnd"\n', 3, "is kahnd's own", ""),
    "an unknown kind of store": (f'{SMALL}[store]\nurl = "gopher://x"\n', 4, '"gopher"', "known are"),
    "a store that is nowhere": (f'{SMALL}[store]\nurl = "db"\n', 4, "store.url must be", ""),
    "one rule instead of a list": (f'{SMALL}[rules]\nmatch = "x"\n', 3, "rules must be a list", "[[rules]]"),
    "a rule without a match": (f'{SMALL}[[rules]]\nrenderer = "page"\n', 3, '"match" is missing', ""),
    "a rule without a renderer": (f'{SMALL}[[rules]]\nmatch = "*"\n', 3, '"renderer" is missing', ""),
    "an unknown renderer": (f"{SMALL}{PAGES}".replace('"page"', '"pgae"'), 5, '"pgae"', '"page"'),
    "an unknown key of a rule": (f'{SMALL}{PAGES}tmplate = "x"\n', 6, '"tmplate" of the rule', '"template"'),
    "an unknown option": (f"{SMALL}{PAGES}markdown = {{ mth = true }}\n", 6, '"mth" in markdown', '"math"'),
    "an unknown option in a table": (f"{SMALL}{PAGES}[rules.markdown]\ntoc = true\nmth = 1\n", 8, '"mth"', '"math"'),
    "an option that is no choice": (f'{SMALL}{PAGES}markdown.math = "mathm"\n', 6, "markdown.math", '"mathml"'),
    "an option of a wrong type": (f"{SMALL}{PAGES}markdown.toc = 1\n", 6, "markdown.toc: expected true or false", ""),
    "options that are no table": (f"{SMALL}{PAGES}markdown = true\n", 6, "markdown: expected a table", ""),
    "levels that are none": (f'{SMALL}{PAGES}markdown = {{ toc = "0-9" }}\n', 6, "levels such as", ""),
    "a hook without a function": (f'{SMALL}{PAGES}before = "a.py"\n', 6, "`path/to/file.py:name`", ""),
    "a hook outside": (f'{SMALL}{PAGES}after = "../a.py:f"\n', 6, "`after`", ""),
    "a fence for nothing": (f'{SMALL}{PAGES}fences = {{ x = "prr" }}\n', 6, "or write 'pre'", ""),
    "filters that are no module": (f'{SMALL}{PAGES}filters = "/a.py"\n', 6, "`filters`: a module is a path", ""),
    "a misspelt key of every rule": (f'{SMALL}{PAGES}outptu = "x"\n', 6, '"outptu"', '"output"'),
    "an environment that leads out": (f'{SMALL}[plugins]\npython = "../env"\n', 4, "leads out of the project", ".venv"),
    "a pattern that leads out": (f"{SMALL}{PAGES}".replace('"docs/', '"../docs/'), 4, "can match nothing", ""),
    "a pattern of too many braces": (f"{SMALL}{PAGES}".replace("*.md", "{1..99999}"), 4, "no valid pattern", ""),
    "an unknown placeholder": (f'{SMALL}{PAGES}output = "{{dri}}/x"\n', 6, "unknown placeholder {dri}", "{dir}"),
    "an empty placeholder": (f'{SMALL}{PAGES}output = "{{}}/x"\n', 6, "unknown placeholder {}", "{dir}"),
    "a brace left open": (f'{SMALL}{PAGES}output = "{{dir/x"\n', 6, "placeholder {dir/x", ""),
    "a closing brace alone": (f'{SMALL}{PAGES}output = "dir}}"\n', 6, "placeholder }", ""),
    "an output that leads out": (f'{SMALL}{PAGES}output = "{{dir}}/../x"\n', 6, "out of the output folder", ""),
    "an absolute output": (f'{SMALL}{PAGES}output = "/{{stem}}"\n', 6, "out of the output folder", ""),
    "an output without a name": (f'{SMALL}{PAGES}output = "{{dir}}/."\n', 6, "names no file", "{dir}/{stem}/"),
    "a page that fills a folder": (f'{SMALL}{PAGES}output = "{{stem}}/"\n', 6, "this renderer makes one file", ""),
    "a page with two outputs": (f'{SMALL}{PAGES}output = ["a", "b"]\n', 6, "this renderer makes one file", ""),
    "no output in a list": (f"{SMALL}{PAGES}output = []\n", 6, "output", ""),
    "a wrong pattern in a list": (f'{SMALL}{PLUGIN}output = [\n"a",\n"{{b}}"]\n', 9, "unknown placeholder {b}", ""),
    "two hashes": (f'{SMALL}{PLUGIN}output = "{{hash}}.{{hash}}"\n', 7, "more than one {hash}", "can have one"),
    "a folder with a hash": (f'{SMALL}{PLUGIN}output = "{{hash}}/"\n', 7, "is a folder with it", "can have one"),
    "a folder in a list": (f'{SMALL}{PLUGIN}output = ["a", "b/"]\n', 7, "can't be one of several", "each file"),
    "what is printed as two outputs": (
        f'{SMALL}{COMMAND.replace("{stem}.svg", "{stem}/")}command = ["x"]\nstdout = true\n',
        6,
        "`stdout` is for one file",
        "",
    ),
    "a command without output": (
        f'{SMALL}{COMMAND}command = ["x", "{{output}}"]\n'.replace('output = "{stem}.svg"\n', ""),
        3,
        '"output" is missing; command',
        "output =",
    ),
    "a command without command": (SMALL + COMMAND, 3, '"command" is missing', ""),
    "an unknown placeholder of a command": (
        f'{SMALL}{COMMAND}command = ["x",\n"{{output}}",\n"{{sorce}}"]\n',
        9,
        "{sorce}",
        "",
    ),
    "a broken expression": (
        f'{SMALL}{COMMAND}command = ["x", "{{output}}"]\nscan = ["(a)",\n"(b"]\n',
        9,
        "no regular expression",
        "",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_reported_with_its_line_and_a_remedy(loaded: Loader, case: str) -> None:
    text, line, message, remedy = WRONG[case]
    problem = _problem(loaded, text)
    assert (problem.file, problem.line) == ("kahnd.toml", line)
    assert message in problem.message
    assert remedy in problem.remedy


def test_all_mistakes_are_reported_in_the_order_of_their_lines(loaded: Loader) -> None:
    text = f'{SMALL}outptu = "x"\noutput = "docs"\n[pool]\nwrokers = 1\nworkers = 0\n{PAGES}x = 1\noutput = "{{y}}"\n'
    assert [problem.line for problem in _problems(loaded, text)] == [3, 4, 6, 7, 11, 12]


BROKEN: dict[str, tuple[str | bytes, int]] = {
    "an unclosed list": ("[project]\nsources = [\n", 2),
    "a missing value": ("[project]\nname =\nsources = []\n", 2),
    "a key twice": ("[project]\nname = 'a'\nname = 'b'\n", 3),
    "an open string": ('[project]\nname = "a\n', 2),
    "no UTF-8": (b"[project]\n# \xff\n", 2),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_toml_is_reported_with_its_line(loaded: Loader, case: str) -> None:
    text, line = BROKEN[case]
    problem = _problem(loaded, text)
    assert (problem.file, problem.line) == ("kahnd.toml", line)


def test_a_column_is_reported_if_it_is_known(loaded: Loader) -> None:
    assert "at column 7" in _problem(loaded, "[a]\nx = 1 2\n").message


@pytest.mark.parametrize("text", [f"x = {'[' * 5000}", f"x = {'9' * 5000}"])
def test_absurd_toml_is_an_error_and_no_crash(loaded: Loader, text: str) -> None:
    assert _problem(loaded, text).file == "kahnd.toml"


def test_a_missing_file_is_reported_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="kahnd init"):
        load(tmp_path, schemas(), {})


# Secrets


def test_user_and_password_come_from_the_environment_and_are_never_shown(loaded: Loader) -> None:
    config = loaded(SMALL, KAHND_STORE__USER="root", KAHND_STORE__PASSWORD="hush-hush")  # noqa: S106 (no real one)
    assert (config.store.user, config.store.password) == ("root", "hush-hush")
    assert config.store.secrets == ("hush-hush",)
    assert "hush-hush" not in repr(config)


@pytest.mark.parametrize("key", ["user", "password"])
def test_the_file_may_not_hold_credentials(loaded: Loader, key: str) -> None:
    problem = _problem(loaded, f'{SMALL}[store]\n{key} = "hush-hush"\n')
    assert problem.line == 4
    assert "hush-hush" not in str(problem)


def test_the_url_may_not_hold_credentials(loaded: Loader) -> None:
    problem = _problem(loaded, f'{SMALL}[store]\nurl = "wss://root:hush-hush@db/rpc"\n')
    assert "KAHND_STORE__PASSWORD" in problem.remedy
    assert "hush-hush" not in str(problem)


# The log's table alone


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ('[log]\nfile = "other.jsonl"\n', "other.jsonl"),
        ('nonsense = 1\n[log]\nfile = "other.jsonl"\n', "other.jsonl"),
        ('[log]\nfile = "other.jsonl"\nfile = 1\n', ".kahnd/log/kahnd.jsonl"),
        ("[log]\nfile = 1\n", ".kahnd/log/kahnd.jsonl"),
    ],
)
def test_a_broken_project_still_has_a_log(tmp_path: Path, text: str, file: str) -> None:
    (tmp_path / "kahnd.toml").write_text(text)
    assert log_config(tmp_path, {}).file == file


def test_the_environment_can_set_the_log_file(tmp_path: Path) -> None:
    assert log_config(tmp_path, {"KAHND_LOG__FILE": "there.jsonl"}).file == "there.jsonl"


class Odd(msgspec.Struct, frozen=True):
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


def test_a_struct_may_check_its_values_together(tmp_path: Path) -> None:
    """A renderer's parameters may raise errors in their own `__post_init__`."""
    text = f'{SMALL}[[rules]]\nmatch = "*"\nrenderer = "odd"\noutput = "x"\nlow = 2\nhigh = 1\n'
    (tmp_path / "kahnd.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"kahnd\.toml:3: low is above high"):
        load(tmp_path, {"odd": RendererSchema(Odd)}, {})


# What can't be read, or not in bounded time


def _place(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "kahnd.toml"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        file.symlink_to("kahnd.toml")


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to itself"])
def test_a_config_that_is_not_a_file_is_an_error(tmp_path: Path, kind: str) -> None:
    _place(tmp_path, kind)
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, schemas(), {})
    assert raised.value.problems[0].file == "kahnd.toml"
    assert log_config(tmp_path, {}) == LogTable()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#" * (2 << 20), "larger than 1 MiB"),
        (f"{SMALL}[x{'.a' * 100_000}]\n", "a key has more than 100 parts"),
        (f"{'a.' * 100_000}a = 1\n", "a key has more than 100 parts"),
        (f"a = {'[' * 100_000}", "nested too deeply"),
        (f"a = {'[' * 300}{']' * 300}\n", 'unknown table "a"'),
        (f"a = {'{a=' * 400}1{'}' * 400}\n", "nested too deeply"),
    ],
)
def test_a_config_that_is_too_large_is_an_error(loaded: Loader, text: str, words: str) -> None:
    assert any(words in each.message for each in _problems(loaded, text))


@pytest.mark.parametrize(
    ("expression", "words"), [("(" * 5_000 + ")" * 5_000, "longer than"), ("(?<=a)(b)", "look-around")]
)
def test_an_invalid_scan_expression_is_reported_with_its_line(loaded: Loader, expression: str, words: str) -> None:
    problem = _problem(loaded, f"{SMALL}{COMMAND}command = ['x', '{{output}}']\nscan = ['{expression}']\n")
    assert words in problem.message
    assert problem.line == 8


@pytest.mark.parametrize("pattern", ["docs/{1..100000}.md", "{1..9}" * 20, "a" * 5_000])
def test_a_pattern_of_too_many_alternatives_is_reported_with_its_line(loaded: Loader, pattern: str) -> None:
    problem = _problem(loaded, f'{SMALL}[[rules]]\nmatch = "{pattern}"\nrenderer = "page"\n')
    assert "no valid pattern" in problem.message
    assert len(problem.message) < 500
    assert problem.line == 4


def test_a_variable_that_is_not_utf8_is_reported_by_its_name(loaded: Loader) -> None:
    problem = _problem(loaded, SMALL, KAHND_PROJECT__OUTPUT="caf\udce9")
    assert problem.message == "KAHND_PROJECT__OUTPUT: its value is not UTF-8"
