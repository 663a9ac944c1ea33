"""What screens share: the bars of the four, how they fit the terminal, and how dialogs work on threads."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.events import Click, Resize
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from engine.errors import FextError
from fext_tui.keys import shown_key
from fext_tui.machine import machine_words
from fext_tui.text import folder_name, safe, shortened
from fext_tui.widgets.dialog import Dialog, Result
from fext_tui.widgets.job_bar import JobBar
from fext_tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from fext_tui.app import FextApp

Breakpoints = list[tuple[int, str]]
WIDTHS: Breakpoints = [(0, "-narrow"), (100, "-medium"), (150, "-wide")]
"""Columns from which a screen has a class; ``-narrow`` shows one pane at a time."""
HEIGHTS: Breakpoints = [(0, "-short"), (40, "-tall")]
"""Rows from which a screen has a class."""
SMALLEST = (60, 20)
"""Columns and rows under which a screen has the class ``-tiny`` and says so instead of its body."""

PRODUCT = "  FeXT  "
MODES = ("data", "model", "viewer", "runs")
"""The four screens, in the order of their keys."""


@dataclass(frozen=True)
class Target:
    """A place that `FextApp.action_jump` offers: what it is called, what is said of it, and what goes there.

    ``go`` is called while the screen that offered it is shown; it may be awaitable.
    """

    title: str
    help: str
    go: Callable[[], object]


class TopBar(Static):
    """One line: the product, the four screens with their keys; the workspace, or the machine while a job runs on it."""

    def __init__(self, mode: str) -> None:
        super().__init__(id="top-bar")
        self._mode = mode

    def on_mount(self) -> None:
        """Listen for what the right end tells."""
        for signal in (self._fext.machine_read, self._fext.job_ended, self._fext.jobs_changed):
            signal.subscribe(self, self._tell)

    def on_resize(self) -> None:
        """Write the line anew for this width."""
        self._tell()

    @property
    def _fext(self) -> "FextApp":
        return cast("FextApp", self.app)

    def _tell(self, _: object = None) -> None:
        tabs = (self._tab(name, mode) for name, mode in zip(self._names(), MODES, strict=True))
        line = Content.assemble((PRODUCT, "bold $accent"), *tabs)
        room = self.size.width - line.cell_length - 3
        told = self._right_end(room) if room > 8 else ""
        self.update(line + Content.styled(f"{told:>{max(room, 0) + 1}}", "$text-muted"), layout=False)

    def _right_end(self, room: int) -> str:
        job, readings = self._fext.running_here, self._fext.machine_readings
        if job is not None and readings:
            return machine_words(readings[-1], job.lane, room)
        return shortened(folder_name(self._fext.workspace.root), room)

    def _names(self) -> list[str]:
        return [f" {shown_key(self, f'mode.{mode}', str(n))} {mode.title()} " for n, mode in enumerate(MODES, 1)]

    def _tab(self, name: str, mode: str) -> tuple[str, str]:
        turned = " reverse" if self._fext.has_few_colors else ""
        here = f"bold{turned} $block-cursor-foreground on $block-cursor-background"
        return name, here if mode == self._mode else "$text-muted"

    def on_click(self, event: Click) -> None:
        """Show the screen whose title the mouse is on."""
        left = len(PRODUCT)
        for name, mode in zip(self._names(), MODES, strict=True):
            right = left + len(name)
            if left <= event.x < right:
                self._fext.action_mode(mode)
            left = right


class FextScreen(Screen[None]):
    """Base of the four screens: subclasses set `MODE` and implement `compose_body`.

    What can be gone to beside the panes, a screen tells by `jump_targets`; where it takes any text, for instance the
    number of a picture, it sets `JUMP_HINT` and implements `jump_to`.
    """

    MODE: ClassVar[str] = ""
    JUMP_HINT: ClassVar[str] = ""
    """What may be typed to go to beside the names of targets, for instance ``number of a job``."""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave_field", "Leave", show=False, id="leave", tooltip="Leave a field, clear an ended job"),
    ]

    @property
    def fext(self) -> "FextApp":
        """The app, as what it is."""
        return cast("FextApp", self.app)

    def compose(self) -> ComposeResult:
        """Give the bars, and the body between them."""
        yield TopBar(self.MODE)
        with Container(id="body"):
            yield from self.compose_body()
        yield Static("This needs 60 columns and 20 rows: make the window larger.", id="tiny-notice")
        yield JobBar()
        yield KeyLine()

    def compose_body(self) -> ComposeResult:
        """Give what is between the bars."""
        raise NotImplementedError

    def jump_targets(self) -> Iterable[Target]:
        """Give the places of this screen that can be gone to, beside its panes."""
        return ()

    def jump_to(self, typed: str) -> None:
        """Go to what was typed and chosen as it stands, or tell that there is no such thing here."""
        raise NotImplementedError

    def tell_nowhere(self, typed: str) -> None:
        """Tell that there is no place of that name or number here."""
        self.notify(f"There is no “{safe(typed, 40)}” here.", severity="warning", markup=False, timeout=4)

    def on_resize(self, event: Resize) -> None:
        """Say that the terminal is too small, where it is."""
        self.set_class(event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1], "-tiny")

    def action_leave_field(self) -> None:
        """Give the keys back to the screen, where a field has them; else clear away the news of an ended job."""
        if isinstance(self.focused, Input):
            self.set_focus(None)
        else:
            self.fext.dismiss_job()


class WorkingDialog(Dialog[Result]):
    """Base of dialogs that work on threads: what goes wrong there is told, and may close the dialog."""

    CLOSES_ON_FAILURE: ClassVar[bool] = False

    class Failed(Message):
        """Something cannot be read or written."""

        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

    class Answered(Message):
        """A thread has found what the dialog is to give."""

        def __init__(self, result: object) -> None:
            super().__init__()
            self.result = result

    @property
    def fext(self) -> "FextApp":
        """The app, as what it is."""
        return cast("FextApp", self.app)

    def in_thread(self, work: Callable[[], Message | None], group: str) -> None:
        """Do work on a thread, and post the message that it returns; what goes on in its group is no longer wanted."""
        self.run_worker(partial(self.tried, work), group=group, exclusive=True, thread=True)

    def tried(self, work: Callable[[], Message | None]) -> None:
        """Do work, on a thread, and post what it returns, or what it raises, unless nobody wants it any more."""
        worker = get_current_worker()
        try:
            message = work()
        except (FextError, OSError) as error:
            message = self.Failed(error)
        if message is not None and not worker.is_cancelled:
            self.post_message(message)

    @on(Failed)
    def _tell_failure(self, message: Failed) -> None:
        self.fext.tell_error(message.error)
        if self.CLOSES_ON_FAILURE:
            self.dismiss(None)

    @on(Answered)
    def _answer(self, message: Answered) -> None:
        self.dismiss(cast("Result", message.result))
