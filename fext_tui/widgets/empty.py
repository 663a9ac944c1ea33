"""What stands where there is nothing yet."""

from textual.widgets import Static

from fext_tui.keys import with_keys


class Empty(Static):
    """Says that there is nothing, and which keys fill it; seen while the container around it has the class -empty."""

    def __init__(self, told: str) -> None:
        """Show a text, with keys as `with_keys` takes them."""
        super().__init__(classes="empty")
        self._told = told

    def on_mount(self) -> None:
        """Write it with the keys in force."""
        self.tell(self._told)

    def tell(self, told: str) -> None:
        """Show another text."""
        self.update(with_keys(self, told), layout=False)
