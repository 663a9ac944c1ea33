"""``fext doctor``."""

from dataclasses import asdict
from textwrap import indent

import click
from rich.text import Text

from engine.errors import EXIT_DONE, EXIT_FAILED
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import output, print_json
from fext_tui.doctor import examine
from fext_tui.terminal import Check
from fext_tui.text import safe, safe_lines

_INDENT = 13
"""Columns before what was found."""
_MARKS = {"good": ("✓", "green"), "notice": ("!", "yellow"), "bad": ("✗", "bold red")}


@click.command()
@click.option("--compile", "compiles", is_flag=True, help="Compile a small network too; may take a minute.")
@workspace_options
@click.pass_obj
def doctor(invocation: Invocation, compiles: bool) -> int:
    """Check Python, PyTorch, devices, driver, compiler, workspace, disk and records, and what the terminal can do."""
    checks = []
    for check in examine(invocation.workspace(), compiles=compiles):
        checks.append(check)
        if not invocation.as_json:
            output().print(_line(check), soft_wrap=True)
    if invocation.as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    return EXIT_FAILED if any(check.state == "bad" for check in checks) else EXIT_DONE


def _line(check: Check) -> Text:
    mark, style = _MARKS[check.state]
    line = Text.assemble((mark, style), f" {check.name:<10} {safe(check.found)}")
    if check.remedy:
        line.append(f"\n{indent(safe_lines(check.remedy), ' ' * _INDENT)}", style="dim")
    return line
