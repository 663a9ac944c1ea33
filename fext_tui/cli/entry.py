"""The entry of ``fext``: one call from its arguments to its exit code."""

from collections.abc import Sequence

import click

from fext_tui.cli.invocation import Invocation
from fext_tui.cli.options import global_options
from fext_tui.cli.printing import print_json, tell_error
from fext_tui.cli.verbs import Verbs

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Verbs, invoke_without_command=True, context_settings=_CONTEXT, subcommand_metavar="[VERB …]")
@global_options
@click.version_option(package_name="fext-tui", message="fext %(version)s", help="Show the version.")
@click.pass_context
def fext(context: click.Context) -> int | None:
    """FeXT AutoEncoder: analyze an image folder, train an autoencoder on it, encode images into vectors.

    Without a verb, the app opens. Each verb has its own --help.
    """
    if context.invoked_subcommand is None:
        from fext_tui.cli.opening import open_app

        invocation = context.find_object(Invocation)
        assert invocation is not None
        return open_app(invocation)
    return None


def run(arguments: Sequence[str]) -> int:
    """Run one call, and return its exit code: 0 done, 1 failed, 2 wrong settings or usage, 3 stopped."""
    invocation = Invocation(as_json="--json" in arguments)
    try:
        code = fext.main(list(arguments), prog_name="fext", standalone_mode=False, obj=invocation)
    except click.ClickException as error:
        return _tell(invocation, error.format_message(), _help_hint(error), 2)
    except click.Abort:
        return _tell(invocation, "Stopped on request.", "", 3)
    except Exception as error:
        from engine.errors import FextError

        if not isinstance(error, FextError):
            raise
        return _tell(invocation, error.cause, error.remedy, error.exit_code)
    return code if isinstance(code, int) else 0


def _help_hint(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path if context else 'fext'} --help` tells what is possible."


def _tell(invocation: Invocation, cause: str, remedy: str, code: int) -> int:
    tell_error(cause, remedy)
    if invocation.as_json:
        print_json({"error": {"cause": cause, "remedy": remedy}})
    return code
