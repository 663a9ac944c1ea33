"""``fext join``."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from types import FrameType

import click

from engine.errors import EXIT_DONE, EXIT_STOPPED
from fext_tui.cli.invocation import Invocation, absolute
from fext_tui.cli.options import workspace_options
from fext_tui.text import safe

_PATIENCE_SECONDS = 600.0


@click.command()
@click.argument("endpoint", metavar="HOST:PORT")
@click.option("--processes", metavar="N|all", default="", help="Processes on this machine; else as the job says.")
@click.option(
    "--wait", metavar="SECONDS", type=click.FloatRange(0), default=_PATIENCE_SECONDS, show_default=True,
    help="How long to wait until the job answers there.",
)  # fmt: skip
@workspace_options
@click.pass_obj
def join(invocation: Invocation, endpoint: str, processes: str, wait: float) -> int:
    """Take part, with this machine, in the job that waits for machines at HOST:PORT.

    The job tells this command where it was started with --nodes. Its workspace must be on a file system that this
    machine shares: here at the same path, or at that of --resources. Ctrl-C stops the job on all machines, with a
    checkpoint; a second one kills it. A closed terminal does not stop anything.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # lost connections are told in words
    from engine.distributed.endpoint import endpoint_of
    from engine.jobs.machines import join_job

    resources = absolute(invocation.resources) if invocation.resources else None
    with _requests() as came:
        joined = join_job(
            endpoint_of(endpoint),
            resources=resources,
            processes=processes,
            patience=wait,
            tell=_tell,
            requests=lambda: len(came),
        )
    told = f"Job {joined.job} ({joined.kind}) has ended: {joined.state}."
    invocation.answer(asdict(joined), told)
    return EXIT_STOPPED if joined.state == "stopped" else EXIT_DONE


@contextlib.contextmanager
def _requests() -> Iterator[Sequence[int]]:
    """Give a list that gets longer with every request to stop, which then does nothing else."""
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    hung_up = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield came
    finally:
        for number, handler in {**before, signal.SIGHUP: hung_up}.items():
            signal.signal(number, handler)


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone, which does not end the job
        sys.stderr.write(f"{safe(line)}\n")
        sys.stderr.flush()
