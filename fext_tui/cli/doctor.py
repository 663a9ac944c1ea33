"""``fext doctor``."""

from dataclasses import asdict

import click
from rich.text import Text

from engine.errors import EXIT_DONE, EXIT_FAILED
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import output, print_json
from fext_tui.doctor import Check, examine
from fext_tui.text import safe

_MARKS = {"good": ("✓", "green"), "notice": ("!", "yellow"), "bad": ("✗", "bold red")}


@click.command()
@workspace_options
@click.pass_obj
def doctor(invocation: Invocation) -> int:
    """Check Python, PyTorch and its devices, the compiler, workspace, disk, records and terminal."""
    checks = []
    for check in examine(invocation.workspace()):
        checks.append(check)
        if not invocation.as_json:
            output().print(_line(check), soft_wrap=True)
    if invocation.as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    return EXIT_FAILED if any(check.state == "bad" for check in checks) else EXIT_DONE


def _line(check: Check) -> Text:
    mark, style = _MARKS[check.state]
    line = Text.assemble((mark, style), f" {check.name:<10} {safe(check.found)}")
    return line.append(f"\n             {safe(check.remedy)}", style="dim") if check.remedy else line
