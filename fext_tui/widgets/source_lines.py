"""What is told of the source whose pictures are listed."""

from textual.content import Content
from textual.widgets import Static

from fext_tui.text import shortened


class SourceLines(Static):
    """Two lines: the source's title and number, and its folder."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._told = ("", "", "")

    def tell(self, title: str, number: str, folder: str) -> None:
        """Show another source."""
        self._told = (title, number, folder)
        self.on_resize()

    def on_resize(self) -> None:
        """Write the lines for this width."""
        title, number, folder = self._told
        room = max(self.content_size.width - len(number), 1)
        self.update(
            Content.assemble(
                (shortened(title, room - 1).ljust(room), "bold $text-primary"),
                (number, "$text-muted"),
                "\n",
                (shortened(folder, self.content_size.width), "$text-muted"),
            )
        )
