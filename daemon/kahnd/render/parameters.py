"""The rule keys of each built-in renderer, and what of them can be checked before anything runs.

Loading a config needs these and nothing else of this package: no template engine is imported here.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import ClassVar, Final

import msgspec

from kahnd.render.scan_expressions import objection
from kahnd.render.shell import PLACEHOLDER, code, misplaced, scripts

COMMAND_PLACEHOLDERS: Final = ("source", "output", "deps", "dir", "stem", "root", "depfile")


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every renderer's rule keys have in common. `default_output` is the pattern of a rule that gives none."""

    default_output: ClassVar[str] = ""

    @property
    def scans(self) -> bool:
        """Whether a document's bytes can tell dependencies."""
        return False

    def check(self) -> list[str]:
        """What is wrong with the values beyond their types: one sentence each."""
        return []


class PageParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """`template`: the layout, a project path (without: a small built-in one).

    `templating`: whether the text is a Jinja template too.
    """

    default_output: ClassVar[str] = "{dir}/{stem}.html"

    template: str = ""
    templating: bool = True

    @property
    def scans(self) -> bool:
        """Front matter always counts."""
        return True


class TemplateParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """Nothing to set."""

    default_output: ClassVar[str] = "{dir}/{name}"

    @property
    def scans(self) -> bool:
        """Includes and calls."""
        return True


class CommandParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """`command`: an argv, or one line of shell with `shell = true`. `stdout`: standard output is the output.

    `scan`: regular expressions whose first group is a path. `fallback`: a project path, the file to use as output
    where the program can't start. A `{depfile}` in the command asks for a Makefile-style list of what it read.
    """

    command: tuple[str, ...] | str
    shell: bool = False
    stdout: bool = False
    scan: tuple[str, ...] = ()
    fallback: str = ""

    @property
    def scans(self) -> bool:
        """Only by the rule's own expressions."""
        return bool(self.scan)

    @property
    def words(self) -> tuple[str, ...]:
        """The argv, or the shell's line alone."""
        return (self.command,) if isinstance(self.command, str) else self.command

    @property
    def writes_depfile(self) -> bool:
        """Whether the command is asked to tell what it read."""
        return any("{depfile}" in word for word in self.words)

    def check(self) -> list[str]:
        """Form of the command, placeholders, expressions."""
        return [*self._form(), *self._placeholders(), *self._misplaced(), *self._expressions()]

    def _form(self) -> list[str]:
        if not any(word.strip() for word in self.words):
            return ["`command` is empty"]
        if not self.words[0].strip() or any("\0" in word for word in self.words):
            return ["`command` begins with an empty word, or has a NUL in one"]
        if self.shell != isinstance(self.command, str):
            return ["`command` is one string with `shell = true`, and a list of strings without"]
        if not self.stdout and not any("{output}" in word for word in self.words):
            return ["`command` must write `{output}`, or set `stdout = true`"]
        return []

    def _placeholders(self) -> list[str]:
        found = dict.fromkeys(name for word in self.words for name in PLACEHOLDER.findall(word))
        return [f"`{{{name}}}` is no placeholder{_nearest(name)}" for name in found if name not in COMMAND_PLACEHOLDERS]

    @property
    def lines(self) -> frozenset[int]:
        """Which words are lines of shell."""
        return frozenset({0}) if self.shell else scripts(self.words)

    def _misplaced(self) -> list[str]:
        """Placeholders whose values would be read as code."""
        in_shell = dict.fromkeys(each for index in sorted(self.lines) for each in misplaced(self.words[index]))
        in_code = dict.fromkeys(code(self.words))
        return [
            *(
                f"`{{{name}}}` stands in {place}: leave these out, since kahnd quotes it, "
                f'or write {name}={{{name}}}; first and then "${name}"'
                for name, place in in_shell
            ),
            *(f"`{{{name}}}` is a part of {program}'s code: give it as a word of its own" for name, program in in_code),
        ]

    def _expressions(self) -> list[str]:
        return [f"`scan`: {each!r} {wrong}" for each in self.scan if (wrong := objection(each))]


class CopyParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """Nothing to set."""

    default_output: ClassVar[str] = "{dir}/{name}"


class PythonParameters(Parameters, frozen=True, forbid_unknown_fields=True):
    """`function`: `module:function`, the module a file of the project (`plugins.tables` is `plugins/tables.py`)."""

    function: str

    @property
    def module_file(self) -> str:
        """The module's project path."""
        return self.function.partition(":")[0].replace(".", "/") + ".py"

    @property
    def attribute(self) -> str:
        """The function's name in its module."""
        return self.function.partition(":")[2]

    def check(self) -> list[str]:
        """Two parts, each a Python name."""
        module, _, name = self.function.partition(":")
        fits = name.isidentifier() and all(part.isidentifier() for part in module.split("."))
        return [] if fits else [f"`function` is `module:function`, not {self.function!r}"]


def _nearest(name: str) -> str:
    close = get_close_matches(name, COMMAND_PLACEHOLDERS, n=1)
    return f"; did you mean `{{{close[0]}}}`?" if close else f"; there are {', '.join(COMMAND_PLACEHOLDERS)}"
