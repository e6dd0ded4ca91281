"""A chart of CPU per hit by size, as SVG: a panel for each size, a bar for each server, readable on light and on dark pages."""

from html import escape
from statistics import median

from cases import SIZE_NAMES, SIZES

CONNECTIONS = 32
# The bars of each panel: label, case, server and colour.
BARS = [
    ("media-cache", "resident", "media-cache", "ours"),
    ("media-cache, from disk", "disk", "media-cache", "ours"),
    ("before", "resident", "base", "base"),
    ("before, from disk", "disk", "base", "base"),
    ("nginx", "resident", "nginx", "other"),
    ("Varnish", "resident", "varnish", "other"),
    ("plain hyper", "resident", "hyper", "limit"),
    ("bare epoll responder", "resident", "bare", "limit"),
]
WIDTH, LABELS, VALUES, ROW, BAR = 720, 170, 90, 22, 14
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .note { font-size: 12px; fill: #59636e } .size { font-weight: 600 } .name { text-anchor: end }
  .ours { fill: #0969da } .base { fill: #80b3ff } .other { fill: #8c959f } .limit { fill: #d0d7de } .page { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note { fill: #9198a1 } .page { fill: #0d1117 }
    .ours { fill: #4493f8 } .base { fill: #1f4b85 } .other { fill: #7d8590 } .limit { fill: #3d444d }
  }
"""


def microseconds(value):
    return f"{value:,.1f} µs" if value < 100 else f"{value:,.0f} µs"


def bars(results, size):
    """Names, colours and values of a panel, without values that were not measured."""
    found = []
    for name, kind, server, colour in BARS:
        rounds = results.get((f"{kind}-{size}", CONNECTIONS), {}).get(server)
        if rounds:
            found.append((name, colour, median(values["cpu_us"] for values in rounds)))
    return found


def chart(results, versions):
    """The SVG document, or None if no hits were measured with 32 connections."""
    panels = [(size, found) for size in SIZES if (found := bars(results, size))]
    if not panels:
        return None
    parts, y = [], 30
    parts.append(f'<text class="title" x="20" y="{y}">CPU per hit, by size of the media</text>')
    y += 20
    for note in (f"User and system time of the server, pinned to one core, with {CONNECTIONS} connections.", "Shorter is better. Each size has its own scale."):
        parts.append(f'<text class="note" x="20" y="{y}">{escape(note)}</text>')
        y += 17
    y -= 17
    for size, found in panels:
        y += 32
        parts.append(f'<text class="size" x="20" y="{y}">{SIZE_NAMES[size]}</text>')
        largest = max(value for _, _, value in found)
        for name, colour, value in found:
            y += ROW
            width = max(value / largest * (WIDTH - LABELS - VALUES - 20), 1)
            parts.append(f'<text class="name" x="{LABELS}" y="{y}">{escape(name)}</text>')
            parts.append(f'<rect class="{colour}" x="{LABELS + 8}" y="{y - BAR + 3}" width="{width:.1f}" height="{BAR}" rx="2"/>')
            parts.append(f'<text x="{LABELS + 14 + width:.1f}" y="{y}">{microseconds(value)}</text>')
    y += 30
    programs = "; ".join(versions[name].split(" (")[0].removeprefix("nginx version: ") for name in ("media-cache", "nginx", "varnish") if name in versions)
    parts.append(f'<text class="note" x="20" y="{y}">{escape(programs)}</text>')
    height = y + 16
    summary = "; ".join(f"{SIZE_NAMES[size]}: " + ", ".join(f"{name} {microseconds(value)}" for name, _, value in found) for size, found in panels)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title description">',
        '<title id="title">CPU per hit, by size of the media</title>', f'<desc id="description">{escape(summary)}</desc>',
        f"<style>{STYLE}</style>", f'<rect class="page" width="{WIDTH}" height="{height}"/>', *parts, "</svg>", ""])
