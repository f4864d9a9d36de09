"""What FastAPI's pages have beyond kahnd's Markdown: code from files, tabs, and lists made of data files."""

import re
from posixpath import join, normpath

from jinja2.sandbox import SandboxedEnvironment

CODE = re.compile(r"^\{\* ?(\S+)(.*?)\*\}$", re.MULTILINE)
OPTION = re.compile(r"(ln|hl|title)\[([^\]]*)\]")
TAB = re.compile(r"^//// tab \| *(.*?)$(.*?)^////$", re.MULTILINE | re.DOTALL)
ROOT = "docs/en"


def expand(text, document):
    """The text with all of these in Markdown."""
    files = {name: document.data(f"/{path}") for name, path in document.meta.get("include_yaml", {}).items()}
    if files:
        text = SandboxedEnvironment().from_string(text).render(**files)
    text = TAB.sub(lambda tab: f"**{tab[1]}**\n{tab[2]}", text)
    return CODE.sub(lambda tag: code(document, tag[1], dict(OPTION.findall(tag[2]))), text)


def code(document, path, options):
    lines = document.read("/" + normpath(join(ROOT, path)).removeprefix("docs/en/")).splitlines()
    wanted = numbers(options["ln"], len(lines)) if "ln" in options else range(1, len(lines) + 1)
    marked = [str(at) for at, line in enumerate(wanted, 1) if line in numbers(options.get("hl", ""), len(lines))]
    title = f' title="{options["title"]}"' if options.get("title") else ""
    lit = f' hl_lines="{" ".join(marked)}"' if marked else ""
    return f"```python{title}{lit}\n" + "\n".join(lines[line - 1] for line in wanted) + "\n```"


def numbers(ranges, last):
    """Line numbers from ranges such as "1:5,8"."""
    found = [each.split(":") for each in ranges.split(",") if each]
    return [line for each in found for line in range(int(each[0]), min(int(each[-1] or last), last) + 1)]
