"""The curves of a training run as text: lines of braille dots with axes."""

from rich.text import Text

_LIMIT = 4000
CURVES = {"train/loss": "cyan", "validation/loss": "magenta"}
"""The losses that are drawn, and their colors, which the words beside the plot share."""


class LossCurve:
    """The loss of a run over its steps, gathered as it comes."""

    def __init__(self) -> None:
        self._points: dict[str, list[tuple[float, float]]] = {name: [] for name in CURVES}

    def add(self, name: str, step: float, value: float) -> None:
        """Add a value, over those at or beyond its step, which a resume tells anew; no loss is no point.

        Beyond 4,000 points every other one goes.
        """
        points = self._points.get(name)
        if points is None:
            return
        while points and points[-1][0] >= step:
            points.pop()
        points.append((step, value))
        if len(points) > _LIMIT:
            del points[1:-1:2]

    def __bool__(self) -> bool:
        """Whether there is a line to draw."""
        return any(len(points) > 1 for points in self._points.values())

    def draw(self, width: int, height: int) -> Text:
        """Return the plot, ``width`` columns by ``height`` rows."""
        import plotext

        plotext.clear_figure()
        plotext.theme("clear")
        plotext.plot_size(width, height)
        plotext.xaxes(True, False)
        plotext.yaxes(True, False)
        last = max(points[-1][0] for points in self._points.values() if points)
        ticks = [round(last * part / 4) for part in range(5)]
        plotext.xticks(ticks, [f"{tick:,}" for tick in ticks])
        for name, points in self._points.items():
            if len(points) > 1:
                steps, values = zip(*points, strict=True)
                plotext.plot(steps, values, color=CURVES[name], marker="braille")
        return Text.from_ansi(plotext.build().rstrip("\n"))
