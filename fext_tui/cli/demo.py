"""``fext demo``."""

import select
import sys
import time

import click
from rich.console import Console
from rich.text import Text

from engine.images.decode import UnreadableImage
from engine.workspace import Workspace
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.opening import has_terminal, run_app
from fext_tui.cli.options import device_option, setting_option, workspace_options
from fext_tui.cli.printing import messages, output, print_json, tell_error
from fext_tui.cli.submission import exit_code, problem_of
from fext_tui.cli.summary import Lines, lines_table, shown_path, summary
from fext_tui.demo import SETTINGS, Demo, reconstruction_picture
from fext_tui.text import decibel, duration

_PAUSE_SECONDS = 10


@click.command()
@setting_option("--minutes", "training.minutes", help_text="How long to train.")
@device_option
@workspace_options
@click.pass_obj
def demo(invocation: Invocation) -> int:
    """Draw sample images, measure them, train on them with the curve live, evaluate, encode.

    In a terminal, the app opens at the end. The images lie in database/demo of the workspace, apart from yours.
    """
    workspace = invocation.workspace()
    images = workspace.root / "database" / "demo" / "images"
    invocation.values = SETTINGS | {"data.folder": str(images)} | invocation.values
    settings = invocation.settings()
    began = time.monotonic()
    with invocation.records() as records:
        show = Demo(workspace, records, settings, messages(), images)
        last = show.play()
    seconds = time.monotonic() - began
    problem = problem_of(invocation, last)
    if problem:
        tell_error(*problem)
    if invocation.as_json:
        _print_json(show, seconds, problem)
    elif last.state == "done":
        _print_summary(show, workspace, seconds)
        if has_terminal() and _wants_app():
            return run_app(workspace, settings)
    elif last.result is not None:
        output().print(summary(last, workspace))
    return exit_code(last)


def _wants_app() -> bool:
    """Leave time to read before the app takes the screen, and return whether it may."""
    messages().print(f"\nThe app opens in {_PAUSE_SECONDS} seconds; Enter opens it now, Ctrl-C ends here.", style="dim")
    try:
        if select.select([sys.stdin], [], [], _PAUSE_SECONDS)[0]:
            sys.stdin.readline()
    except KeyboardInterrupt:
        return False
    return True


def _print_json(show: Demo, seconds: float, problem: tuple[str, str] | None) -> None:
    steps = {kind: {"job": job.id, "state": job.state, **(job.result or {})} for kind, job in show.jobs.items()}
    last = list(show.jobs.values())[-1]
    error = {"error": {"cause": problem[0], "remedy": problem[1]}} if problem else {}
    print_json({"job": last.id, "state": last.state, "seconds": round(seconds, 1), **steps, **error})


def _print_summary(show: Demo, workspace: Workspace, seconds: float) -> None:
    results = {kind: dict(job.result or {}) for kind, job in show.jobs.items()}
    console = output()
    if console.is_terminal and console.color_system and not console.no_color:
        _print_picture(console, workspace, results["evaluate"]["figure"])
    trained, encoded = results["train"], results["encode"]
    lines: Lines = [
        ("images", shown_path(show.images, workspace)),
        ("plots", shown_path(workspace.dataset_plots, workspace)),
        ("checkpoint", shown_path(workspace.checkpoints / trained["checkpoint"], workspace)),
        ("", f"{trained['steps']:,} steps, {decibel(trained['val_psnr'])} on images held out"),
        ("comparison", shown_path(results["evaluate"]["figure"], workspace)),
        ("vectors", shown_path(encoded["embeddings"], workspace)),
        ("", f"{encoded['rows']:,} images × {encoded['dim']:,} values"),
        ("next", "fext train FOLDER   with your own photographs; fext opens the app"),
    ]
    console.print(Text(f"\nDone in {duration(seconds)}. Everything lies here:", style="bold green"))
    console.print(lines_table(lines))


def _print_picture(console: Console, workspace: Workspace, figure: str) -> None:
    try:
        picture = reconstruction_picture(workspace.actual_path(figure), min(console.width - 2, 100))
    except UnreadableImage as error:
        tell_error(f"The comparison cannot be shown: {error}", "")
        return
    console.print(Text("\nHeld-out images, and below them what the network made of their vectors:", style="bold"))
    console.print(picture)
