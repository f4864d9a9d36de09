"""mdBook's directives in braces, such as {{#include ../listings/main.rs:anchor}}. A hook of the rule for pages."""

import re
from posixpath import dirname, join, normpath

DIRECTIVE = re.compile(r"(?<!\\)\{\{#(include|rustdoc_include|playground|title)\s+([^}\s]+)[^}]*\}\}")
MARK = re.compile(r"ANCHOR(?:_END)?:\s*(\S+)")


def expand(text, document):
    """The text with each directive replaced by the lines that it names; what it reads is a dependency."""

    def written(directive):
        kind, target = directive.groups()
        if kind == "title":
            return ""
        path, _, part = target.partition(":")
        file = normpath(join(dirname(document.path), path))
        lines = document.read("/" + file).splitlines()
        chosen = select(lines, part)
        if chosen is None:
            line = text.count("\n", 0, directive.start()) + 1
            document.fail(f"{file} has no anchor {part}", line=line)
        return "\n".join(chosen)

    return DIRECTIVE.sub(written, text).replace(r"\{{", "{{")


def select(lines, part):
    """All lines, those of an anchor, or those from one number to another; None if there is no such anchor."""
    first, colon, last = part.partition(":")
    if not first or first.isdigit():
        start = int(first or 1)
        end = int(last) if last.isdigit() else len(lines) if colon or not first else start
        return [each for each in lines[start - 1 : end] if not MARK.search(each)]
    inside, chosen = False, None
    for each in lines:
        mark = MARK.search(each)
        if mark and mark[1] == first:
            inside, chosen = "ANCHOR_END" not in each, chosen or []
        elif inside and not mark:
            chosen.append(each)
    return chosen
