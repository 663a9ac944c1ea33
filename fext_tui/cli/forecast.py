"""``fext train --forecast``."""

import time

from engine.errors import EXIT_DONE
from engine.forecast import Forecast, count_images, find_measured, forecast, probe
from engine.jobs.tasks import lane_of
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.printing import messages, plain_table
from fext_tui.forecasting import rows


def tell_forecast(invocation: Invocation, *, measure: bool) -> int:
    """Print what a run with the settings of this call will take; ``measure`` runs a few steps where that is unknown.

    Raises:
        FextError: images cannot be counted, or the steps cannot be run.

    """
    made = _forecast(invocation, measure=measure)
    table = plain_table("", "", "")
    table.show_header = False
    for row in rows(made, time.time(), "--measure runs a few steps to see"):
        table.add_row(*row)
    invocation.answer(made.values(), table, *made.problems)
    return EXIT_DONE


def _forecast(invocation: Invocation, *, measure: bool) -> Forecast:
    settings = invocation.settings()
    lane = lane_of("train", settings.device)
    with invocation.records() as records:
        workspace = invocation.workspace()
        images = count_images(settings.data, workspace, records)
        measured = find_measured(settings, lane, workspace, records)
        if measured is None and measure:
            messages().print("Measuring a few steps …")
            measured = probe(settings, lane, workspace, lambda: False)
        return forecast(settings, lane, images, measured, workspace)
