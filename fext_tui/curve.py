"""The curves of a training run as text: lines of braille dots with axes."""

from rich.text import Text

from fext_tui.series import Series

CURVES = {"train/loss": "cyan", "validation/loss": "magenta"}
"""The losses that are drawn, and their colors, which the words beside the plot share."""


class LossCurve:
    """The loss of a run over its steps, gathered as it comes."""

    def __init__(self) -> None:
        self._series = {name: Series() for name in CURVES}

    def add(self, name: str, step: float, value: float) -> None:
        """Add a value, over those at or beyond its step, which a resume tells anew; no loss is no point."""
        if name in self._series:
            self._series[name].add(step, value)

    def __bool__(self) -> bool:
        """Whether there is a line to draw."""
        return any(len(series.steps) > 1 for series in self._series.values())

    def draw(self, width: int, height: int) -> Text:
        """Return the plot, ``width`` columns by ``height`` rows."""
        import plotext

        plotext.clear_figure()
        plotext.theme("clear")
        plotext.plot_size(width, height)
        plotext.xaxes(True, False)
        plotext.yaxes(True, False)
        last = max(series.steps[-1] for series in self._series.values() if series.steps)
        ticks = [round(last * part / 4) for part in range(5)]
        plotext.xticks(ticks, [f"{tick:,}" for tick in ticks])
        for name, series in self._series.items():
            if len(series.steps) > 1:
                plotext.plot(series.steps, series.values, color=CURVES[name], marker="braille")
        return Text.from_ansi(plotext.build().rstrip("\n"))
