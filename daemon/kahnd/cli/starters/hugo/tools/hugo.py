"""Hugo's shortcodes, such as {{< note "Beware" >}}. A hook of the rule for pages.

Write a function for each shortcode of yours, and name it in SHORTCODES. It gets the page's document (see plug-ins in
kahnd's reference), what is given (`given["0"]`, or by name) and the text up to the closing tag, and returns Markdown
or HTML.
"""

import re

SHORTCODES = {}  # {"note": note}, for example

TAG = re.compile(r'\{\{[<%]\s*(/?)\s*([\w./-]*\w)\s*((?:"(?:\\.|[^"\\])*"|`[^`]*`|[^"`])*?)\s*(/?)\s*[>%]\}\}')
GIVEN = re.compile(r'(?:([\w-]+)\s*=\s*)?(?:"((?:\\.|[^"\\])*)"|`([^`]*)`|([^\s"`=]+))')
SHOWN = re.compile(r"\{\{([<%])/\*(.*?)\*/([>%])\}\}", re.DOTALL)


def expand(text, document):
    """The text with shortcodes written out. An unknown one is a warning, and leaves what is in it."""
    pieces, opened, end = [[]], [], 0
    closed = [tag[2] for tag in TAG.finditer(text) if tag[1]]
    for tag in TAG.finditer(text):
        pieces[-1].append(text[end : tag.start()])
        end = tag.end()
        if tag[1]:
            if tag[2] in closed:
                closed.remove(tag[2])
            if opened and opened[-1][2] == tag[2]:
                inner = "".join(pieces.pop())
                pieces[-1].append(written(document, text, opened.pop(), inner))
        elif not tag[4] and tag[2] in closed:
            opened.append(tag)
            pieces.append([])
        else:
            pieces[-1].append(written(document, text, tag, ""))
    whole = "".join(piece for each in pieces for piece in each) + text[end:]
    return SHOWN.sub(r"{{\1\2\3}}", whole)


def written(document, text, tag, inner):
    found = GIVEN.findall(tag[3])
    given = {key or str(at): quoted or raw or word for at, (key, quoted, raw, word) in enumerate(found)}
    if tag[2] in SHORTCODES:
        return SHORTCODES[tag[2]](document, given, inner)
    above = document.text[: max(document.text.find(text), 0)]  # the front matter
    line = above.count("\n") + text.count("\n", 0, tag.start()) + 1
    document.warn(f"the shortcode {tag[2]} is not in SHORTCODES of tools/hugo.py", line=line)
    return inner
