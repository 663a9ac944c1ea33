"""Options that verbs share: the global ones, and those made from the settings' schema."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import click

from fext_tui.cli.invocation import Invocation

Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


class _Decorator(Protocol):
    def __call__(self, command: Decorated, /) -> Decorated:
        """Add something to a command."""


def _into(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.find_object(Invocation), attribute, value)

    return keep


def _assign(context: click.Context, parameter: click.Parameter, assignments: tuple[str, ...]) -> None:
    invocation = context.find_object(Invocation)
    assert invocation is not None
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise click.BadParameter(f"{assignment!r} is not group.field=value.", context, parameter)
        invocation.values[key.strip()] = value.strip()


_WORKSPACE: list[_Decorator] = [
    click.option(
        "--resources", metavar="PATH", expose_value=False, callback=_into("resources"),
        help="Workspace folder; else $FEXT_RESOURCES, ./resources, or the user's data folder.",
    ),
    click.option(
        "--json", "as_json", is_flag=True, expose_value=False, callback=_into("as_json"), is_eager=True,
        help="Print the result as one line of JSON.",
    ),
]  # fmt: skip

_SETTINGS: list[_Decorator] = [
    click.option(
        "--preset", metavar="NAME", expose_value=False, callback=_into("preset"),
        help="Begin from a preset: quick, balanced, fidelity, features or low-memory.",
    ),
    click.option(
        "--config", metavar="NAME", expose_value=False, callback=_into("configuration"),
        help="Begin from a saved configuration.",
    ),
    click.option(
        "--set", metavar="GROUP.FIELD=VALUE", multiple=True, expose_value=False, callback=_assign,
        help="Set any setting (`fext settings` lists them); may be repeated.",
    ),
]  # fmt: skip


def workspace_options(command: Decorated) -> Decorated:
    """Add ``--resources`` and ``--json``."""
    return _with(command, _WORKSPACE)


def global_options(command: Decorated) -> Decorated:
    """Add ``--preset``, ``--config``, ``--set``, ``--resources`` and ``--json``."""
    return _with(command, _SETTINGS + _WORKSPACE)


def _with(command: Decorated, options: Sequence[_Decorator]) -> Decorated:
    for option in reversed(options):
        command = option(command)
    return command


def _split(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if not value:
        return
    import shlex

    invocation = context.find_object(Invocation)
    assert invocation is not None
    try:
        invocation.on_finish = shlex.split(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}.", context, parameter) from error


_SUBMITTING: list[_Decorator] = [
    click.option("--detach", is_flag=True, help="Return at once with the number of the job."),
    click.option(
        "--on-finish", metavar="COMMAND", expose_value=False, callback=_split,
        help="Run this when the job has ended, without a shell; FEXTJOB_STATE and others tell how it went.",
    ),
]  # fmt: skip


def job_options(command: Decorated) -> Decorated:
    """Add ``--detach`` and ``--on-finish``, for verbs that submit a job."""
    return _with(command, _SUBMITTING)


def setting_option(name: str, *keys: str, help_text: str = "", metavar: str = "") -> Callable[[Decorated], Decorated]:
    """Return an option that sets settings (by dotted key); its help comes from the first one's schema."""
    from engine.settings import FIELDS, text_of

    field = FIELDS[keys[0]]
    default = f" (default {text_of(field.default)})" if field.default not in ("", 0) else ""

    def keep(context: click.Context, _: click.Parameter, value: str | None) -> None:
        invocation = context.find_object(Invocation)
        assert invocation is not None
        if value is not None:
            invocation.values.update(dict.fromkeys(keys, value))

    return click.option(
        name,
        metavar=metavar or _metavar(field.choices, field.kind),
        expose_value=False,
        callback=keep,
        help=(help_text or field.help) + default,
    )


def _metavar(choices: tuple[str, ...], kind: str) -> str:
    return "|".join(choices) if choices and kind == "choice" else {"int": "N", "float": "X"}.get(kind, "TEXT")


def image_size_option(command: Decorated) -> Decorated:
    """Add ``--image-size N`` or ``HxW``, which sets height and width."""

    def keep(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        invocation = context.find_object(Invocation)
        assert invocation is not None
        if value is None:
            return
        height, _, width = value.lower().partition("x")
        if not height or value.lower().endswith("x"):
            raise click.BadParameter(f"{value!r} is neither N nor HEIGHTxWIDTH.", context, parameter)
        invocation.values |= {"data.image_height": height, "data.image_width": width or height}

    return click.option(
        "--image-size", metavar="N|HxW", expose_value=False, callback=keep,
        help="Size that every picture is resized to (default 128).",
    )(command)  # fmt: skip


def device_option(command: Decorated) -> Decorated:
    """Add ``--device auto``, ``cpu``, ``gpu`` or ``gpu:N``."""

    def keep(context: click.Context, _: click.Parameter, value: str | None) -> None:
        invocation = context.find_object(Invocation)
        assert invocation is not None
        if value is not None:
            kind, colon, number = value.partition(":")
            invocation.values |= {"device.kind": kind} | ({"device.id": number} if colon else {})

    return click.option(
        "--device", metavar="auto|cpu|gpu[:N]", expose_value=False, callback=keep,
        help="Where to compute; auto: the GPU where there is one.",
    )(command)  # fmt: skip


def processes_option(command: Decorated) -> Decorated:
    """Add ``--processes N`` or ``all``, ``--nodes N`` and ``--rdzv-endpoint HOST:PORT``."""
    command = setting_option("--rdzv-endpoint", "device.rendezvous", metavar="HOST:PORT")(command)
    command = setting_option("--nodes", "device.nodes")(command)
    return setting_option("--processes", "device.processes", metavar="N|all")(command)
