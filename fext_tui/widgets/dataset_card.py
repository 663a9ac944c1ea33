"""The summary of a dataset, a line a fact, and what to press next."""

from collections.abc import Iterator

from textual.content import Content
from textual.widgets import Static

from fext_tui import text
from fext_tui.dataset_facts import DatasetFacts

_LABEL_WIDTH = 13
_FORMATS = 4


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
            yield from _recorded(facts, now)
        yield from _next_step(facts)


def _fact(label: str, value: str | Content) -> Content:
    return Content.styled(label.ljust(_LABEL_WIDTH), "$text-muted") + (
        Content(value) if isinstance(value, str) else value
    )


def _recorded(facts: DatasetFacts, now: float) -> Iterator[Content]:
    summary = facts.summary
    yield _fact("images", f"{facts.images:,}")
    if facts.finding_count:
        number = Content.styled(f"{facts.finding_count:,}", "$text-warning")
        yield _fact("findings", number + Content.styled("  x shows them", "$text-muted"))
    formats = list(summary["formats"].items())
    shown = ", ".join(f"{text.safe(name) or 'unknown'} {count:,}" for name, count in formats[:_FORMATS])
    yield _fact("formats", shown + (" …" if len(formats) > _FORMATS else ""))
    yield _fact("size", f"{text.size(summary['bytes'])}, {text.size(summary['bytes'] / facts.images)} an image")
    if summary["min_width"] is not None:
        sides = (_range(summary[f"min_{side}"], summary[f"max_{side}"]) for side in ("width", "height"))
        yield _fact("pixels", " × ".join(sides))
    yield from _subsets(facts)
    if facts.analyzed is not None and facts.analyzed.ended is not None:
        when = text.age(now, facts.analyzed.ended)
        took = text.duration(facts.analyzed.ended - (facts.analyzed.started or facts.analyzed.ended))
        ago = when if when == "just now" else f"{when} ago"
        yield _fact("analyzed", f"{ago}, in {took} (job {facts.analyzed.id})")


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _subsets(facts: DatasetFacts) -> Iterator[Content]:
    sides = [facts.histograms[name].images if name in facts.histograms else 0 for name in ("train", "validation")]
    if any(sides):
        yield _fact("training", f"{sides[0]:,}")
        yield _fact("validation", f"{sides[1]:,}  ({sides[1] / sum(sides):.0%})")


def _next_step(facts: DatasetFacts) -> Iterator[Content]:
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
        yield _key("a", "analyzes them")
    yield _key("o", "chooses another folder of images")
    if not facts.images and not facts.found:
        yield _key("m", "makes sample images to begin with")


def _key(key: str, what: str) -> Content:
    return Content.assemble((f" {key} ", "bold $footer-key-foreground"), what)
