"""A report as one page of HTML that needs nothing else: no script, no network, pictures within."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from engine.evaluation.sections import Figure, Section, Table
from engine.files import printable

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2730; --quiet: #59636e; --line: #c4ccd4; --paper: #fff; --band: #f3f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --quiet: #a3adb8; --line: #46505a; --paper: #14191f; --band: #1d242b; }
  img { filter: brightness(.9); }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 70rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .4rem; font-size: 1.2rem; border-bottom: 1px solid var(--line); }
p, figcaption, caption { color: var(--quiet); overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 45rem; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.facts td:first-child { color: var(--quiet); }
tbody tr:nth-child(even) { background: var(--band); }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; border-radius: 4px; background: #fff; }
@media print {
  :root { --ink: #000; --quiet: #444; --line: #bbb; --paper: #fff; --band: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  img { filter: none; }
  .wide { overflow: visible; }
  th, td { padding: .2rem .4rem; }
  tr, figure { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""
_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Return sections as one page of HTML; texts are shown as they are, control characters as escapes.

    Raises:
        OSError: a figure cannot be read.

    """
    return "\n".join([
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>{_text(title)}</h1>",
        f"<p>{_text(subtitle)}</p>",
        *(line for section in sections for line in _section(section)),
        "</body>",
        "</html>",
        "",
    ])  # fmt: skip


def _section(section: Section) -> Iterator[str]:
    yield f"<section>\n<h2>{_text(section.title)}</h2>"
    if section.text:
        yield f"<p>{_text(section.text)}</p>"
    for table in section.tables:
        yield from _table(table)
    for figure in section.figures:
        yield from _figure(figure)
    yield "</section>"


def _table(table: Table) -> Iterator[str]:
    kind = "" if table.header else ' class="facts"'
    yield f'<div class="wide"><table{kind}>'
    if table.caption:
        yield f"<caption>{_text(table.caption)}</caption>"
    if table.header:
        yield f"<thead>{_row('th', table.header)}</thead>"
    yield "<tbody>"
    yield from (_row("td", row) for row in table.rows)
    yield "</tbody></table></div>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"


def _figure(figure: Figure) -> Iterator[str]:
    data = base64.b64encode(figure.path.read_bytes()).decode("ascii")
    caption = _text(figure.caption)
    yield f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'


def _text(text: str) -> str:
    return escape(printable(text))
