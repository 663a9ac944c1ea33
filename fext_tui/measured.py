"""How the images of a dataset are distributed over a metric: read from the records, for plots."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from engine.records import Records
from engine.workspace import Workspace
from fext_tui.dataset_facts import DatasetFacts, Histogram

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BINS = (128, 64, 32, 16)
_MIDDLE = (0.5, 99.5)


def read_distribution(workspace: Workspace, facts: DatasetFacts, column: str) -> Mapping[str, Histogram]:
    """Return histograms of a metric by subset (all, train, validation); for a thread, whose records are its own.

    Values beyond the middle 99 % stand in the outermost bins.

    Raises:
        FextError: the records cannot be read.

    """
    import numpy as np

    assert facts.dataset is not None
    with Records(workspace) as records:
        numbers, values = records.metric_values(facts.dataset, column)
        subsets = {"all": values}
        for name in ("train", "validation"):
            subsets[name] = values[np.isin(numbers, records.subset_numbers(facts.dataset, name))]
        held_out = _held_out(workspace, records, facts)
        if held_out is not None:
            subsets["validation"] = records.metric_values(held_out, column)[1]
    found = {name: chosen for name, chosen in subsets.items() if len(chosen)}
    return binned(found) if "all" in found else {}


def _held_out(workspace: Workspace, records: Records, facts: DatasetFacts) -> int | None:
    """Return the dataset of the validation folder that the analysis compared with."""
    folder = facts.analyzed.settings["data"]["validation_folder"] if facts.analyzed else ""
    return records.find_dataset(workspace.actual_path(folder)) if folder else None


def binned(values: "Mapping[str, NDArray[np.float64]]", marks: Sequence[float] = ()) -> dict[str, Histogram]:
    """Return histograms over one range, which holds the middle 99 % of all values, and the marks.

    They have the fewer bins, the fewer values there are of one.
    """
    import numpy as np

    most = 4 * math.sqrt(min(map(len, values.values())))
    bins = next((bins for bins in _BINS if bins <= most), _BINS[-1])
    edges = np.percentile(np.concatenate(list(values.values())), _MIDDLE)
    low, high = min(edges[0], *marks, math.inf), max(edges[1], *marks, -math.inf)
    if low == high:
        low, high = low - 0.5, high + 0.5
    half = (high - low) / bins / 2
    return {
        name: Histogram(
            len(one),
            tuple(np.histogram(one.clip(low, high), bins, (low, high))[0].tolist()),
            float(low + half),
            float(high - half),
            float(one.mean()),
        )
        for name, one in values.items()
    }
