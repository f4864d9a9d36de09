"""Draws a bar chart from a data sheet: one bar per row, as long as the sum of its numbers."""

import tomllib
from html import escape

ROW, LEFT, WIDTH = 26, 90, 400


def render(document):
    chart = tomllib.loads(document.text)
    rows = document.data(chart["data"])
    sums = [(row.pop(chart["label"]), sum(map(int, row.values()))) for row in rows]
    scale = WIDTH / max((value for _, value in sums), default=1)
    bars = "".join(bar(number, label, value, value * scale) for number, (label, value) in enumerate(sums, start=1))
    height = ROW * (len(sums) + 1) + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 {height}" width="560" height="{height}"'
        f' font-family="sans-serif" font-size="14"><text x="0" y="16" font-weight="600">{escape(chart["title"])}</text>'
        f"{bars}</svg>\n"
    )


def bar(number, label, value, length):
    top = number * ROW
    return (
        f'<text x="0" y="{top + 17}">{escape(label)}</text>'
        f'<rect x="{LEFT}" y="{top + 4}" width="{length:.1f}" height="18" rx="2" fill="#2f6b4f"/>'
        f'<text x="{LEFT + length + 6:.1f}" y="{top + 17}">{value}</text>'
    )
