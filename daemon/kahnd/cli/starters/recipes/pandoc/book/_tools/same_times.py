"""Pandoc notes the time in each file of an e-book; this writes them again without."""

import sys
from pathlib import Path
from zipfile import ZipFile, ZipInfo

book = Path(sys.argv[1])
with ZipFile(book) as old:
    files = [(entry, old.read(entry)) for entry in old.infolist()]
with ZipFile(book, "w") as new:
    for entry, content in files:
        fixed = ZipInfo(entry.filename)  # as of 1980
        fixed.compress_type = entry.compress_type
        new.writestr(fixed, content)
