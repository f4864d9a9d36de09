"""Each fast path gives the same bytes as its plain path, which takes over when a private part of a library changes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pygments.token
import pytest
from jinja2 import Template
from pygments.lexer import Lexer

from kahnd.render import fast
from kahnd.render.fast import FastPath, highlighting, inclusions
from kahnd.render.jinja.environment import Compiled, ProjectEnvironment, compiled
from kahnd.render.markdown import MarkdownOptions
from kahnd.render.markdown.highlight import Highlighter
from kahnd.render.renderers.parameters import PageParameters, TemplateParameters
from render.workshop import Workshop

CODE = 'def f(a, b="<&>"):\n    """A\n\n    b."""\n    return {a: 0x1F}  # é\n\n\nprint(f"{f(1, 2)!r:>{3}}")\n'
PROJECT = {
    "docs/a.md": f'---\ntitle: A\n---\n{{% include "_b.md" %}}\n\n> {{% include "_b.md" %}}\n\n```python\n{CODE}```\n',
    "docs/_b.md": 'one\n\n{% include "/data/c.txt" %}\ntwo\n',
    "docs/d.txt": 'x\n  {% include "/data/c.txt" %}\ny {% include "/data/c.txt" %} z\n',
    "docs/e.md": 'one\n\n{% include "gone.md" %}\n',
    "docs/f.md": '{% include "a.md" %}\n\n{% include "_g.md" %}\n',
    "docs/_g.md": "{{ 1 / 0 }}\n",
    "docs/h.md": '$\\frac{{1}}{2}$\n\n!!! note\n    {% include "_b.md" %}\n\n```python hl_lines="1"\nx\n```\n[[a]]\n',
    "data/c.txt": "<c> & {{ root }}\n",
}


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each test checks the paths anew."""
    inclusions._agrees_with_jinja.cache_clear()
    yield
    fast.switch(on=True)
    inclusions._agrees_with_jinja.cache_clear()


def _colour(language: str, code: str) -> str | None:
    """By a highlighter that has not met the language before."""
    return Highlighter().colour(language, code)


def _results(shop: Workshop, options: MarkdownOptions = MarkdownOptions()) -> list[object]:  # noqa: B008 - frozen
    """All that can be seen of a project: scans, outcomes and outputs."""
    shop.by(("docs/**/*.md", PageParameters(markdown=options)), ("docs/**/*.txt", TemplateParameters()))
    shop.write_all(PROJECT)
    found: list[object] = []
    for document in ("docs/a.md", "docs/d.txt", "docs/e.md", "docs/f.md", "docs/h.md"):
        job = shop.job(document, "docs/**/*.md")
        outcome, stage = shop.run(job), shop.root / job.stage
        found += [shop.scanned(document), outcome, stage.read_bytes() if stage.exists() else None]
    return found


def _with_plain_paths(work: Callable[[], Any]) -> Any:
    fast.switch(on=False)
    try:
        return work()
    finally:
        fast.switch(on=True)


def test_a_project_is_scanned_and_rendered_alike_by_both_paths(shop: Workshop) -> None:
    assert _results(shop) == _with_plain_paths(partial(_results, shop))


def test_a_project_in_extended_markdown_is_rendered_alike_by_both_paths(shop: Workshop) -> None:
    options = MarkdownOptions(**dict.fromkeys(MarkdownOptions.__struct_fields__, True))
    found = _results(shop, options)
    assert found == _with_plain_paths(partial(_results, shop, options))
    assert b'class="math inline"' in found[-1]  # type: ignore[operator]


def test_the_switch_turns_fast_paths_off_and_on() -> None:
    environment, source = ProjectEnvironment(), 'a\n{% include "b" %}\n'
    assert not isinstance(compiled(environment, source, "a"), Compiled)
    assert isinstance(_with_plain_paths(lambda: compiled(environment, source, "a")), Compiled)
    path = FastPath("a path", lambda: str.upper, str.upper, "a")
    path._fast = str.lower
    assert path("A") == "a"
    assert _with_plain_paths(lambda: path("A")) == "A"


@pytest.mark.parametrize(
    ("module", "name"),
    [(re, "_parser"), (re, "_constants"), (pygments.token, "_TokenType")],
    ids=str,
)
def test_where_a_private_part_is_gone_code_is_coloured_by_pygments(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    plain = _with_plain_paths(lambda: _colour("python", CODE))
    monkeypatch.delitem(sys.modules, "kahnd.render.fast.highlighting")
    if f"{module.__name__}.{name}" in sys.modules:
        monkeypatch.setitem(sys.modules, f"{module.__name__}.{name}", None)
    monkeypatch.delattr(module, name)
    with pytest.warns(RuntimeWarning, match="highlighting is not used: (ModuleNotFound|Import)Error"):
        assert _colour("python", CODE) == plain


def _no_tables(lexer: Lexer) -> Lexer:
    raise AttributeError("_tokens")


@pytest.mark.parametrize(
    ("name", "changed", "reason"),
    [
        ("first_set", lambda expression: frozenset(), "its result differs"),
        ("_move", lambda states, transition: None, "its result differs"),
        ("fast_lexer", _no_tables, "AttributeError: _tokens"),
    ],
)
def test_where_a_private_part_has_changed_code_is_coloured_by_pygments(
    monkeypatch: pytest.MonkeyPatch, name: str, changed: Callable[..., object], reason: str
) -> None:
    plain = _with_plain_paths(lambda: _colour("python", CODE))
    monkeypatch.setattr(highlighting, name, changed)
    with pytest.warns(RuntimeWarning, match=f"highlighting is not used: {reason}"):
        assert _colour("python", CODE) == plain


def test_a_fast_path_that_fails_later_is_left_for_good() -> None:
    calls: list[str] = []

    def brittle(text: str) -> str:
        calls.append(text)
        if text == "b":
            raise KeyError(text)
        return text.upper()

    path = FastPath("a path", lambda: brittle, str.upper, "a")
    with pytest.warns(RuntimeWarning, match="a path is not used: KeyError"):
        assert [path(each) for each in "abc"] == ["A", "B", "C"]
    assert calls == ["a", "a", "b"]


def test_running_out_of_memory_is_no_fault_of_the_path() -> None:
    def hungry(text: str) -> str:
        if text == "b":
            raise MemoryError
        return text.upper()

    path = FastPath("a path", lambda: hungry, str.upper, "a")
    with pytest.raises(MemoryError):
        path("b")
    assert path("a") == "A"


def _gone(*_: object) -> Template:
    raise AttributeError("from_module_dict")


def _without_lines(environment: Any, module: Any, variables: Any) -> Template:
    return FROM_MODULE(environment, {**module, "debug_info": ""}, variables)


def _without_text(environment: Any, module: Any, variables: Any) -> Template:
    return FROM_MODULE(environment, {**module, "root": lambda context: iter(())}, variables)


FROM_MODULE = Template.from_module_dict


@pytest.mark.parametrize("changed", [_gone, _without_lines, _without_text])
def test_where_jinja_takes_templates_otherwise_includes_are_left_to_it(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, changed: Callable[..., Template]
) -> None:
    plain = _with_plain_paths(partial(_results, shop))
    # Jinja's own templates do not come this way.
    monkeypatch.setattr(Template, "from_module_dict", changed)
    with pytest.warns(RuntimeWarning, match="includes is not used"):
        assert _results(shop) == plain
