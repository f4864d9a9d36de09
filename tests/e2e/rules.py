"""Rules for small projects: each ending of a document's name stands for one way to render it."""

from __future__ import annotations

PAGES = """
[[rules]]
match = "docs/**/*.md"
renderer = "page"
output = "{dir}/{stem}.html"
"""
TEXTS = """
[[rules]]
match = "docs/**/*.txt"
renderer = "template"
output = "{dir}/{name}"
"""
SUMS = """
[[rules]]
match = "docs/**/*.sum"
renderer = "command"
command = ["cksum", "{source}", "{deps}"]
scan = ['needs (\\S+)']
stdout = true
output = "{dir}/{stem}.cksum"
"""
FIRST_LINES = """
[[rules]]
match = "docs/**/*.head"
renderer = "command"
command = ["head", "-n", "1", "{source}"]
stdout = true
output = "{dir}/{stem}.line"
"""
SCRIPTS = """
[[rules]]
match = "docs/**/*.sh"
renderer = "command"
command = ["sh", "{source}", "{output}"]
output = "{dir}/{stem}.out"
"""
COPIES = """
[[rules]]
match = "docs/**/*.bin"
renderer = "copy"
output = "{dir}/{name}"
"""


def toml(*rules: str, extra: str = "") -> str:
    """A `kahnd.toml` with one source folder, two workers and these rules."""
    head = '[project]\nname = "small"\nsources = ["docs"]\noutput = "site"\n'
    pool = "" if "[pool]" in extra else "[pool]\nworkers = 2\n"
    return f"{head}\n{pool}{extra}{''.join(rules)}"
