"""The page of a report: one file that needs nothing else, whatever the names in it."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import FextError
from engine.evaluation.page import page
from engine.evaluation.report import write_report
from engine.evaluation.sections import Figure, Section, Table

VOID = {"meta", "img"}
HOSTILE = "<script>alert(1)</script>&\"'\x1b[31m\n\u202e\udcff</td>"


class Reader(HTMLParser):
    """Reads a page: its elements, each closed in order, their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "figure.png"
    Image.new("RGB", (8, 4), (1, 2, 3)).save(path)
    return path


def test_a_page_holds_its_tables_and_pictures(picture: Path) -> None:
    table = Table(("Image", "PSNR (dB)"), (("a.png", "31.20"), ("b.png", "28.00")), "Two images")
    section = Section("Worst", "Lowest first.", (table, Table((), (("Seed", "42"),))), (Figure(picture, "They"),))
    read = Reader(page("Title", "Subtitle", [section, section]))
    assert read.cells == ["Image", "PSNR (dB)", "a.png", "31.20", "b.png", "28.00", "Seed", "42"] * 2
    assert len(read.all("h2")) == 2
    [image, _] = read.all("img")
    kind, _, data = str(image["src"]).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == picture.read_bytes()
    assert image["alt"] == "They"


def test_a_page_needs_nothing_else_and_suits_phones_paper_and_the_dark(picture: Path) -> None:
    text = page("T", "S", [Section("One", figures=(Figure(picture, "c"),))])
    read = Reader(text)
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in read.tags}
    assert not re.search(r"https?:|//|url\(|@import", re.sub(r"base64,[^\"]+", "", text))
    assert any(meta.get("name") == "viewport" for meta in read.all("meta"))
    [policy] = [meta["content"] for meta in read.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy).startswith("default-src 'none'")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


@given(st.text())
def test_texts_are_shown_as_they_are(name: str) -> None:
    name += HOSTILE
    section = Section(name, name, (Table((name,), ((name,),), name),))
    text = page(name, name, [section])
    read = Reader(text)
    assert {tag for tag, _ in read.tags} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "section", "div", "table", "caption",
        "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert read.cells[0] == read.cells[1]
    assert read.cells[0].endswith("<script>alert(1)</script>&\"'\\x1b[31m\\n\\u202e\\udcff</td>")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)


def test_any_sections_are_written_for_readers_and_programs(tmp_path: Path, picture: Path) -> None:
    sections = [
        Section("One", facts={"one": {"psnr": 1.5}}),
        Section("Two", figures=(Figure(picture, "x"),), facts={"two": [HOSTILE]}),
    ]
    write_report(tmp_path, "T", "S", sections)
    assert json.loads((tmp_path / "evaluation.json").read_text()) == {"one": {"psnr": 1.5}, "two": [HOSTILE]}
    assert len(Reader((tmp_path / "report.html").read_text(encoding="utf-8")).all("section")) == 2


def test_a_figure_that_is_gone_is_said_so_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(FextError, match=r"gone\.png cannot be read"):
        write_report(tmp_path, "T", "S", [Section("One", figures=(Figure(tmp_path / "gone.png", "x"),))])
    assert list(tmp_path.iterdir()) == []
