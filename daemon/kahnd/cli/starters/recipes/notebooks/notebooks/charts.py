"""Draws charts as SVG."""


def bars(values, width=400, height=30):
    """One bar for each name."""
    most = max(values.values())
    parts = []
    for row, (name, value) in enumerate(values.items()):
        bar = f'width="{value / most * 300:.0f}" height="{height - 6}"'
        parts.append(f'<rect x="80" y="{row * height}" {bar} fill="#205080"/>')
        parts.append(f'<text x="0" y="{row * height + 17}" font-family="sans-serif" font-size="14">{name}</text>')
    size = f'width="{width}" height="{height * len(values)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'
