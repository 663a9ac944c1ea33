"""The summary of a dataset, a line a fact, and what to press next."""

from collections.abc import Iterator, Mapping

from textual.content import Content
from textual.dom import DOMNode
from textual.widgets import Static

from fext_tui import text
from fext_tui.dataset_facts import DatasetFacts
from fext_tui.keys import shown_key

_LABEL_WIDTH = 12
_KINDS_SHOWN = 4
_MODES = {"L": "gray", "LA": "gray+alpha", "P": "palette", "1": "1 bit", "I;16": "16-bit gray"}


class DatasetCard(Static):
    """Shows `DatasetFacts`, for the time it is told."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - the name Textual gives it
        super().__init__(id=id)
        self._told: tuple[DatasetFacts, float] | None = None

    def show(self, facts: DatasetFacts, now: float) -> None:
        """Show a dataset, at a time in seconds since the epoch."""
        self._told = facts, now
        self.on_resize()

    def on_resize(self) -> None:
        """Write for this width."""
        if self._told is not None:
            room = max(self.content_size.width - _LABEL_WIDTH, 10)
            self.update(Content("\n").join(self._lines(*self._told, room)))

    def _lines(self, facts: DatasetFacts, now: float, room: int) -> Iterator[Content]:
        yield _fact("folder", text.shortened(text.folder_name(facts.folder), room))
        if facts.images:
            yield from _recorded(self, facts, now)
        yield from _next_step(self, facts)


def _fact(label: str, value: str | Content) -> Content:
    return Content.styled(label.ljust(_LABEL_WIDTH), "$text-muted") + (
        Content(value) if isinstance(value, str) else value
    )


def _recorded(node: DOMNode, facts: DatasetFacts, now: float) -> Iterator[Content]:
    summary = facts.summary
    yield _fact("images", _readable(facts))
    if facts.finding_count:
        number = Content.styled(f"{facts.finding_count:,}", "$text-warning")
        shows = f"  {shown_key(node, 'data.findings', 'x')} shows them"
        yield _fact("findings", number + Content.styled(shows, "$text-muted"))
    elif facts.analyzed is not None:
        yield _fact("findings", "none")
    if facts.excluded:
        yield _fact("excluded", f"{facts.excluded:,} from training")
    yield _fact("formats", _counted(summary["formats"], {"": "unknown"}))
    if modes := {mode: count for mode, count in summary["modes"].items() if mode}:
        yield _fact("channels", _counted(modes, _MODES))
    yield _fact("size", f"{text.size(summary['bytes'])}, {text.size(summary['bytes'] / facts.images)} an image")
    if summary["min_width"] is not None:
        sides = (_range(summary[f"min_{side}"], summary[f"max_{side}"]) for side in ("width", "height"))
        yield _fact("pixels", " × ".join(sides))
    yield from _training(facts)
    if facts.analyzed is not None and facts.analyzed.ended is not None:
        took = text.duration(facts.analyzed.ended - (facts.analyzed.started or facts.analyzed.ended))
        yield _fact("analyzed", f"{text.ago(now, facts.analyzed.ended)}, in {took} (job {facts.analyzed.id})")


def _readable(facts: DatasetFacts) -> str:
    """Return the number of images, and of how many files where not all can be read."""
    defects = sum(facts.findings.get(kind, 0) for kind in ("unreadable", "truncated", "wrong_extension"))
    files = facts.images + defects
    return f"{facts.images:,}" + (f", {facts.images / files:.1%} of {files:,} files" if defects else "")


def _counted(numbers: Mapping[str, int], names: Mapping[str, str]) -> str:
    shown = [f"{names.get(name, text.safe(name))} {count:,}" for name, count in numbers.items()]
    return ", ".join(shown[:_KINDS_SHOWN]) + (" …" if len(shown) > _KINDS_SHOWN else "")


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _training(facts: DatasetFacts) -> Iterator[Content]:
    """Yield what training makes of the images: how many it learns from, the pack, and the time of an epoch."""
    sides = [facts.histograms[name].images if name in facts.histograms else 0 for name in ("train", "validation")]
    if any(sides):
        yield _fact("training", f"{sides[0]:,}, held out {sides[1]:,} ({sides[1] / sum(sides):.0%})")
    height, width, channels = facts.asked.shape
    pack = text.size(facts.images * facts.asked.image_bytes)
    yield _fact("pack", f"{pack} at {height} × {width}{'' if channels == 3 else ' gray'}")
    if facts.epoch_seconds is not None:
        yield _fact("epoch", f"about {text.duration(facts.epoch_seconds)}, as {facts.asked.variant} took")


def _next_step(node: DOMNode, facts: DatasetFacts) -> Iterator[Content]:
    """Yield what to press, where the dataset is not analyzed yet."""
    if facts.is_analyzed:
        return
    yield Content("")
    if facts.problem:
        yield Content.styled(f"This folder cannot be read: {text.safe(facts.problem)}.", "$text-error")
    elif not facts.images and not facts.found:
        yield Content.styled("No pictures here yet.", "bold")
    else:
        at_least = "" if facts.counted else "at least "
        yield Content.styled(f"{at_least}{facts.images or facts.found:,} pictures, not analyzed yet.", "bold")
        yield _key(shown_key(node, "data.analyze", "a"), "analyzes them")
    yield _key(shown_key(node, "data.open", "o"), "chooses another folder of images")
    if not facts.images and not facts.found:
        yield _key(shown_key(node, "data.make", "m"), "makes sample images to begin with")


def _key(key: str, what: str) -> Content:
    return Content.assemble((f" {key} ", "bold $footer-key-foreground"), what)
