"""The project's own code: its plug-in, with hooks and filters, and the script of a command."""

from __future__ import annotations

from typing import Final, Literal

from agreement.configuration import TOOL
from agreement.values import Value


class Plugin(Value, frozen=True):
    """The project's plug-in: a word in every line of its output. `tool` is the first word of its script's output."""

    word: str = "v0"
    tool: str = "v0"
    broken: Literal["", "syntax", "missing"] = ""


PLUGIN_FILES: Final = ("plugins/shout.py", "drawn_wording.py", "plugins/filters.py", TOOL)
FILTERS: Final = """\
from drawn_wording import WORD


def shouted(value):
    return f"{value}{WORD}"
"""
JOIN: Final = '! grep -q ^fail "$1" || exit 1\necho {}\ncat "$@"\n'
SHOUT: Final = """\
from drawn_wording import WORD


def render(document, parameters):
    word = WORD + parameters.get("mark", "")
    lines = enumerate(document.text.splitlines(), 1)
    return "".join(f"{word} {_line(document, number, each)}\\n" for number, each in lines)


def both(document, parameters):
    lines = [each for each in document.text.splitlines() if each.startswith("word ")]
    return {"words": "".join(f"{each}\\n" for each in lines), "shout": render(document, parameters)}


def parts(document):
    lines = [_line(document, number, each) for number, each in enumerate(document.text.splitlines(), 1)]
    return {f"{WORD}/{number}": f"{each}\\n" for number, each in enumerate(lines)}


def before(text, document):
    return text.replace("@v@", WORD)


def after(text, document):
    return f"{text}after {WORD}\\n"


def draw(fence, document):
    return f"<b>{WORD} {fence.code}</b>\\n"


def _line(document, number, text):
    verb, _, rest = text.partition(" ")
    match verb:
        case "read":
            return document.read(rest)
        case "depends":
            return document.depends(rest)[0].read_bytes().decode()
        case "source":
            return document.source(rest).decode()
        case "output":
            return document.output(rest).text
        case "title":
            return document.page(rest).title
        case "titles":
            return "".join(f"{page.title}," for page in document.pages(rest))
        case "declare":
            path, _, content = rest.partition(" ")
            document.declare(path, bytes.fromhex(content))
            return f"declare {path}"
        case "warn":
            document.warn(rest, line=number)
        case "fail":
            document.fail(rest, line=number)
    return text
"""


def plugin_files(plugin: Plugin) -> dict[str, str | None]:
    """Returns the plug-in's files; None for a missing one."""
    shout = {"": SHOUT, "syntax": "def render(:\n", "missing": None}[plugin.broken]
    texts = (shout, f'WORD = "{plugin.word}"\n', FILTERS, JOIN.format(plugin.tool))
    return dict(zip(PLUGIN_FILES, texts, strict=True))
