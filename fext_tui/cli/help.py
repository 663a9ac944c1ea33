"""``fext help``."""

import sys

import click

from engine.errors import EXIT_DONE
from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import output, plain_table, print_json
from fext_tui.guides import guide, topics

_WIDEST = 100
_BEHIND = "`fext help TOPIC` shows one; `fext VERB --help` tells the options of a verb."


@click.command("help")
@click.argument("topic", required=False)
@click.option("--no-pager", is_flag=True, help="Print the whole guide, on a terminal too.")
@workspace_options
@click.pass_context
def help_(context: click.Context, topic: str | None, no_pager: bool) -> int:
    """Show the guide to TOPIC, a screen or a part of the product; without TOPIC, list all guides.

    The name of a verb shows its options, where no guide is named so. Away from a terminal, a guide is plain Markdown.
    """
    invocation = context.find_object(Invocation)
    assert invocation is not None
    known = topics()
    if topic is None:
        _list(invocation, known)
    elif topic not in known and (options := _options_of(context, topic)):
        invocation.answer({"topic": topic, "text": options}, options)
    else:
        _show(invocation, topic, guide(topic), pages=not no_pager)
    return EXIT_DONE


def _list(invocation: Invocation, known: dict[str, str]) -> None:
    table = plain_table("topic", "what it tells")
    for topic, title in known.items():
        table.add_row(topic, title)
    invocation.answer({"topics": known}, table, "", _BEHIND)


def _options_of(context: click.Context, verb: str) -> str:
    """Return the help of a verb; empty where there is none of that name."""
    fext = context.parent
    assert fext is not None
    assert isinstance(fext.command, click.Group)
    command = fext.command.get_command(fext, verb)
    return command.get_help(click.Context(command, fext, verb)) if command else ""


def _show(invocation: Invocation, topic: str, text: str, *, pages: bool) -> None:
    if invocation.as_json:
        print_json({"topic": topic, "text": text})
    elif not sys.stdout.isatty():
        sys.stdout.write(text)
    elif pages:
        click.echo_via_pager(_drawn(text))
    else:
        sys.stdout.write(_drawn(text))


def _drawn(text: str) -> str:
    """Return Markdown as it is drawn on this terminal, in colors that are seen on a dark and on a light ground."""
    from rich.markdown import Markdown
    from rich.theme import Theme

    console = output()
    console.width = min(console.width, _WIDEST)
    console.push_theme(Theme({"markdown.code": "bold", "markdown.code_block": ""}))
    with console.capture() as capture:
        console.print(Markdown(text, code_theme="ansi_dark"))
    return capture.get()
