"""``fext keys``: what the keys of the app do."""

from collections.abc import Mapping, Sequence

import click
from rich.table import Table

from engine.errors import EXIT_DONE, EXIT_USAGE
from fext_tui.bindings import Action, all_actions
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import output, plain_table, tell_error
from fext_tui.key_file import checked, keys_file, read_keys, shown_keys, template


@click.command()
@click.option("--template", "as_template", is_flag=True, help="Print a keys.toml with the usual keys, to be changed.")
@workspace_options
@click.pass_obj
def keys(invocation: Invocation, as_template: bool) -> int:
    """List every action of the app by screen: its keys, the id by which keys.toml gives it others, what it does."""
    actions, path = all_actions(), keys_file()
    if as_template:
        output().print(template(actions, path), soft_wrap=True)
        return EXIT_DONE
    own, problems = checked(read_keys(path), actions)
    listed = [_row(action, own) for action in actions]
    told = [{"cause": problem.cause, "remedy": problem.remedy} for problem in problems]
    invocation.answer({"file": str(path), "keys": listed, "problems": told}, _table(actions, own))
    for problem in problems:
        tell_error(problem.cause, problem.remedy)
    return EXIT_USAGE if problems else EXIT_DONE


def _row(action: Action, own: Mapping[str, str]) -> dict[str, object]:
    usual = shown_keys(action.keys)
    now = shown_keys(own[action.id].split(",")) if action.id in own else usual
    return {"place": action.place, "id": action.id, "keys": now, "usual": usual, "name": action.title,
            "help": action.help}  # fmt: skip


def _table(actions: Sequence[Action], own: Mapping[str, str]) -> Table:
    table = plain_table("", "keys", "does", "id")
    place = ""
    for action in actions:
        row = _row(action, own)
        help_text = f"{action.title}: {action.help}" if action.help else action.title
        table.add_row("" if action.place == place else action.place, str(row["keys"]), help_text, action.id)
        place = action.place
    return table
