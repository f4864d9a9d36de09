"""The rule keys of each built-in renderer, and their checks when a config is loaded.

Loading a config needs nothing else of this package, so no template engine is imported here.
"""

from __future__ import annotations

import inspect
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, ClassVar, Final, Literal, get_type_hints

import msgspec

from kahnd.core.globs import glob_error
from kahnd.render.markdown import MarkdownOptions
from kahnd.render.programs.placeholders import PLACEHOLDER, embedded_in_code, misplaced, shell_lines
from kahnd.render.scan.expressions import expression_error

COMMAND_PLACEHOLDERS: Final = ("source", "output", "outputs", "deps", "dir", "stem", "root", "depfile", "cache")


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all rule keys. `default_output` is the output pattern of a rule without one."""

    default_output: ClassVar[str] = ""

    @property
    def scans(self) -> bool:
        """Tell whether a document's bytes can name dependencies."""
        return False

    def check(self) -> list[str]:
        """Errors in the values beyond their types, one sentence each."""
        return []

    def check_outputs(self, outputs: Sequence[str]) -> list[str]:
        """Errors in the output patterns of a rule with these keys: most renderers make one file."""
        several = len(outputs) > 1 or outputs[0].endswith("/")
        return ["`output` is several files or a folder, but this renderer makes one file"] if several else []


class PageParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """`template`: the layout, a project path (without: a small built-in one).

    `templating`: whether the text is a Jinja template too. `links`: whether links to sources become links to their
    outputs, and whether one that leads nowhere is a warning or an error. `clean_urls`: whether each page is the
    `index.html` of a folder, whose URL ends with the folder. `markdown`: extensions of Markdown. `fences`: by language,
    "pre" for code that a script draws, or a function, `path.py:name`. `before` and `after`: functions that are given
    the Markdown and the HTML. `filters`: a module whose functions are filters and tests of templates.
    """

    default_output: ClassVar[str] = "{dir}/{stem}.html"

    template: str = ""
    templating: bool = True
    links: Literal["warn", "error", "off"] = "warn"
    clean_urls: bool = False
    markdown: MarkdownOptions = MarkdownOptions()
    fences: dict[str, str] = {}
    before: str = ""
    after: str = ""
    filters: str = ""

    @property
    def own_output(self) -> str:
        """The output pattern of a rule without one."""
        return "{dir}/{stem}/index.html" if self.clean_urls else self.default_output

    @property
    def scans(self) -> bool:
        """Yes: front matter always counts."""
        return True

    @property
    def is_extended(self) -> bool:
        """Tell whether Markdown or its code fences have extensions."""
        return bool(self.fences) or self.markdown != MarkdownOptions()

    @property
    def is_hooked(self) -> bool:
        """Tell whether functions make Markdown or HTML, so that the text does not show every link and id."""
        return bool(self.before or self.after or any(each != PRE for each in self.fences.values()))

    @property
    def project_functions(self) -> tuple[str, ...]:
        """The functions of the project, each as `path.py:name`, and the module of the filters."""
        functions = (each for each in (self.before, self.after, *self.fences.values(), self.filters))
        return tuple(dict.fromkeys(each for each in functions if each not in {"", PRE}))

    @property
    def module_files(self) -> tuple[str, ...]:
        """The project paths of the modules whose functions are called."""
        return tuple(dict.fromkeys(function_of(each)[0] for each in self.project_functions))

    def check(self) -> list[str]:
        """Errors in the options of Markdown and the names of functions."""
        fences = (("fences", each) for each in self.fences.values() if each != PRE)
        hooks = ((key, each) for key, each in (("before", self.before), ("after", self.after)) if each)
        wrong = [
            f"`{key}`: a function is `path/to/file.py:name`, not {each!r}" + (f"; or write {PRE!r}" * (key == "fences"))
            for key, each in (*hooks, *fences)
            if not (_is_module(function_of(each)[0]) and function_of(each)[1].isidentifier())
        ]
        return [*self.markdown.check(), *_math_errors(self.markdown), *wrong, *_filters_errors(self.filters)]


PRE: Final = "pre"
"""In `fences`: the code as it is, in `<pre class="…">`."""


def function_of(reference: str) -> tuple[str, str]:
    """The module's project path, and the function's name."""
    file, _, name = reference.partition(":")
    return posixpath.normpath(file), name


def _math_errors(options: MarkdownOptions) -> Iterable[str]:
    if options.math == "mathml" and find_spec("math_core") is None:
        yield '`markdown`: math = "mathml" needs the package math-core: install kahnd with its extra `math`'


def _is_module(file: str) -> bool:
    return file.endswith(".py") and not file.startswith(("/", "../")) and "\0" not in file


def _filters_errors(file: str) -> Iterable[str]:
    if file and not _is_module(file):
        yield f"`filters`: a module is a path in the project that ends in `.py`, not {file!r}"


class TemplateParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """`filters`: a module whose functions are filters and tests of templates."""

    default_output: ClassVar[str] = "{dir}/{name}"

    filters: str = ""

    @property
    def project_functions(self) -> tuple[str, ...]:
        """The module of the filters."""
        return (self.filters,) if self.filters else ()

    @property
    def module_files(self) -> tuple[str, ...]:
        """The project path of the module."""
        return self.project_functions

    def check(self) -> list[str]:
        """An error if `filters` is no module."""
        return [*_filters_errors(self.filters)]

    @property
    def scans(self) -> bool:
        """Yes: includes and calls."""
        return True


class CommandParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """`command`: an argv, or one line of shell with `shell = true`. `stdout`: standard output is the output.

    `scan`: regular expressions whose first group is a path. `fallback`: a project path, the file to use as output
    where the program can't start. `cwd`: the folder that it runs in, a project path in which `{dir}` stands for the
    document's folder (without: the project's folder). `position`: a regular expression for the positions in the
    program's messages, whose groups are the file, the line, and perhaps the message and the column. `deps`: files and
    patterns that the program reads, relative to the project or to the document's folder. A `{depfile}` in the command
    asks for a Makefile-style list of what it read, and a `{cache}` for a folder of the document's own that stays
    between runs.
    """

    command: tuple[str, ...] | str
    shell: bool = False
    stdout: bool = False
    scan: tuple[str, ...] = ()
    fallback: str = ""
    cwd: str = ""
    position: str = ""
    deps: tuple[str, ...] = ()

    @property
    def scans(self) -> bool:
        """Only with expressions in the rule's `scan`."""
        return bool(self.scan)

    @property
    def words(self) -> tuple[str, ...]:
        """The argv, or the line of shell alone."""
        return (self.command,) if isinstance(self.command, str) else self.command

    @property
    def writes_depfile(self) -> bool:
        """Tell whether the command is asked for a list of what it reads."""
        return any("{depfile}" in word for word in self.words)

    @property
    def keeps_cache(self) -> bool:
        """Tell whether the program is given a folder of the document's own that stays between runs."""
        return any("{cache}" in word for word in self.words)

    @property
    def fixed_folder(self) -> str:
        """The folder of all documents' runs; "" if it is the project's, or depends on the document."""
        return "" if "{dir}" in self.cwd else self.folder_of("")

    def check(self) -> list[str]:
        """Errors in the form of the command, its placeholders and the expressions."""
        return [*self._form(), *self._placeholders(), *self._misplaced(), *self._expressions(), *self._folder()]

    def folder_of(self, document: str) -> str:
        """The project path of the folder that the program runs in; "" for the project's own."""
        folder = posixpath.normpath(self.cwd.replace("{dir}", posixpath.dirname(document) or "."))
        return "" if folder == "." else folder

    def _form(self) -> list[str]:
        if not any(word.strip() for word in self.words):
            return ["`command` is empty"]
        if not self.words[0].strip() or any("\0" in word for word in self.words):
            return ["`command` begins with an empty word, or has a NUL in one"]
        if self.shell != isinstance(self.command, str):
            return ["`command` is one string with `shell = true`, and a list of strings without"]
        if not self.stdout and not any("{output}" in word or "{outputs}" in word for word in self.words):
            return ["`command` must write `{output}`, or set `stdout = true`"]
        return []

    def check_outputs(self, outputs: Sequence[str]) -> list[str]:
        """Errors in the output patterns: what a program prints, and a fallback, is one file."""
        keys = (("stdout", self.stdout), ("fallback", self.fallback))
        wrong = super().check_outputs(outputs)
        return [
            f"`{key}` is for one file, but `output` is several or a folder" for key, given in keys if given and wrong
        ]

    def _placeholders(self) -> list[str]:
        found = dict.fromkeys(name for word in self.words for name in PLACEHOLDER.findall(word))
        return [f"`{{{name}}}` is no placeholder{_nearest(name)}" for name in found if name not in COMMAND_PLACEHOLDERS]

    @property
    def lines(self) -> frozenset[int]:
        """The indexes of the words that are lines of shell."""
        return frozenset({0}) if self.shell else shell_lines(self.words)

    def _misplaced(self) -> list[str]:
        """Placeholders whose values would be run as code."""
        in_shell = dict.fromkeys(each for index in sorted(self.lines) for each in misplaced(self.words[index]))
        in_code = dict.fromkeys(embedded_in_code(self.words))
        return [
            *(
                f"`{{{name}}}` stands in {place}: leave these out, since kahnd quotes it, "
                f'or write {name}={{{name}}}; first and then "${name}"'
                for name, place in in_shell
            ),
            *(f"`{{{name}}}` is a part of {program}'s code: give it as a word of its own" for name, program in in_code),
        ]

    def _folder(self) -> list[str]:
        if unknown := [name for name in PLACEHOLDER.findall(self.cwd) if name != "dir"]:
            return [f"`cwd`: `{{{unknown[0]}}}` is no placeholder here; there is `{{dir}}`"]
        if self.cwd.startswith("/") or ".." in self.cwd.split("/") or "\0" in self.cwd:
            return [f"`cwd`: {self.cwd!r} leads out of the project; give a folder in it, without / at the beginning"]
        return []

    def _expressions(self) -> list[str]:
        wrong = [f"`scan`: {each!r} {wrong}" for each in self.scan if (wrong := expression_error(each))]
        wrong += [f"`deps`: {each!r} {error}" for each in self.deps if (error := _deps_error(each))]
        error = expression_error(self.position, ("file", "line")) if self.position else None
        return [*wrong, *([f"`position`: {self.position!r} {error}"] if error else [])]


class CopyParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """Nothing to set."""

    default_output: ClassVar[str] = "{dir}/{name}"


class PythonParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """`function`: `module:function`, the module a file of the project (`plugins.tables` is `plugins/tables.py`).

    `parameters`: values for the function, of any kind that TOML has.
    """

    function: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def module_file(self) -> str:
        """The module's project path."""
        return self.function.partition(":")[0].replace(".", "/") + ".py"

    @property
    def attribute(self) -> str:
        """The function's name in its module."""
        return self.function.partition(":")[2]

    def check_outputs(self, outputs: Sequence[str]) -> list[str]:
        """None: a function returns one or many."""
        return []

    def check(self) -> list[str]:
        """An error if `function` is not two Python names."""
        module, _, name = self.function.partition(":")
        fits = name.isidentifier() and all(part.isidentifier() for part in module.split("."))
        return [] if fits else [f"`function` is `module:function`, not {self.function!r}"]


def _deps_error(pattern: str) -> str | None:
    if not pattern or "\0" in pattern or pattern.startswith("/"):
        return "is no path or pattern in the project"
    objection = glob_error(pattern)
    return f"is no valid pattern: {objection}" if objection else None


def _nearest(name: str) -> str:
    close = get_close_matches(name, COMMAND_PLACEHOLDERS, n=1)
    return f"; did you mean `{{{close[0]}}}`?" if close else f"; there are {', '.join(COMMAND_PLACEHOLDERS)}"


_WITH_PARAMETERS: Final = 2
"""The positional parameters of a function that takes its rule's parameters."""


def second_parameter(function: Callable[..., object]) -> tuple[bool, type | None]:
    """Tell whether a plug-in's function takes parameters, and their type if it is a dataclass or a Struct."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False, None
    positional = [each for each in parameters if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}]
    if len(positional) != _WITH_PARAMETERS or positional[1].default is not inspect.Parameter.empty:
        return False, None
    try:
        hint = get_type_hints(function).get(positional[1].name)
    except Exception:  # noqa: BLE001 - an annotation can be any expression
        hint = None
    is_record = isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, msgspec.Struct))
    return True, hint if is_record else None


def typed(given: Mapping[str, Any], kind: type | None) -> object:
    """Parameters as a type; None: as they are. Raises ValueError if they do not fit."""
    if kind is None:
        return given
    names = [each.encode_name for each in msgspec.structs.fields(kind)] if issubclass(kind, msgspec.Struct) else []
    names += [each.name for each in fields(kind)] if is_dataclass(kind) else []
    if unknown := [each for each in given if each not in names]:
        close = get_close_matches(unknown[0], names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
        raise ValueError(f"{unknown[0]!r} is unknown; {hint}")
    return msgspec.convert(given, kind)
