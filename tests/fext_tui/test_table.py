"""Tables of texts."""

from rich.text import Text
from textual.app import App, ComposeResult

from fext_tui.widgets.table import KeyTable

ROWS = {"a": [Text("a name that is long")], "b": [Text("b")]}


class Tables(App[None]):
    def compose(self) -> ComposeResult:
        yield KeyTable({"name": "name"})


async def test_a_line_that_was_painted_before_its_columns_were_measured_is_painted_anew() -> None:
    async with Tables().run_test(size=(40, 10)) as pilot:
        table = pilot.app.query_one(KeyTable)
        table.show(ROWS)
        assert "long" not in table.render_line(1).text, "columns are measured when there is time for it"
        table._update_dimensions(table.rows)
        assert "a name that is long" in table.render_line(1).text
