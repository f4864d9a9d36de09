"""How Sphinx builds the manual."""

import json
from pathlib import Path

project = "A manual"
author = "A. Author"
html_theme = "alabaster"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["manual.css"]
exclude_patterns = ["_includes"]


def setup(app):
    """Sphinx calls this before it builds."""
    app.connect("build-finished", sort_search_index)


def sort_search_index(app, exception):
    """The index lists pages in the order in which they were read, if ever so long ago. Sorted, it follows from them."""
    file = Path(app.outdir, "searchindex.js")
    if exception is None and file.exists():
        index = file.read_text("utf-8").removeprefix("Search.setIndex(").removesuffix(")")
        file.write_text(f"Search.setIndex({json.dumps(json.loads(index), sort_keys=True)})", "utf-8")
