"""The verbs of ``fext``: their names, their help, and the modules that hold them, which are loaded when called."""

import difflib
from dataclasses import dataclass
from importlib import import_module

import click


@dataclass(frozen=True)
class Verb:
    """One verb as the help shows it, and where its command lies."""

    section: str
    command: str
    help: str


VERBS = {
    "demo": Verb("Begin", "demo:demo", "Make sample images and do everything with them, in under three minutes."),
    "sample": Verb("Begin", "tasks:sample", "Draw labelled sample images into a folder."),
    "help": Verb("Begin", "help:help_", "Show a guide: to a screen, to settings, to what may go wrong."),
    "doctor": Verb("Begin", "doctor:doctor", "Check Python, PyTorch, devices, compiler, disk and records."),
    "analyze": Verb("Images", "tasks:analyze", "Measure the images of a folder, and tell what is to be known of them."),
    "findings": Verb("Images", "findings:findings", "List the damaged, doubled, leaked and odd files of a folder."),
    "exclude": Verb("Images", "findings:exclude", "Let training leave out some images of a folder."),
    "include": Verb("Images", "findings:include", "Let training use excluded images again."),
    "compare-data": Verb("Images", "compare_data:compare_data", "Tell how far the images of two folders differ."),
    "train": Verb("Work", "training:train", "Train an autoencoder on a folder of images."),
    "resume": Verb("Work", "training:resume", "Go on with a training run from one of its checkpoints."),
    "evaluate": Verb("Work", "tasks:evaluate", "Measure how well a checkpoint reconstructs images."),
    "encode": Verb("Work", "tasks:encode", "Turn images into vectors with a checkpoint."),
    "export": Verb("Work", "export:export", "Write a checkpoint's networks as ONNX and PyTorch files."),
    "similar": Verb("Work", "similar:similar", "List the encoded images that are most like one."),
    "anomalies": Verb("Work", "anomalies:anomalies", "Rank images by how unlike they are to the training images."),
    "jobs": Verb("Jobs", "jobs:jobs", "List the jobs of the workspace."),
    "queue": Verb("Jobs", "queue:queue", "List the jobs that wait, change their order, hold one back."),
    "compare": Verb("Jobs", "compare:compare", "Show training runs side by side, with the settings that differ."),
    "note": Verb("Jobs", "runs:note", "Write a note and tags to a training run."),
    "rename": Verb("Jobs", "runs:rename", "Give a training run and its checkpoints another name."),
    "delete": Verb("Jobs", "runs:delete", "Delete a training run from the records, with or without its checkpoints."),
    "attach": Verb("Jobs", "jobs:attach", "Follow a job that runs or waits."),
    "join": Verb("Jobs", "join:join", "Take part, with this machine, in a job that waits for several."),
    "stop": Verb("Jobs", "jobs:stop", "Stop a job: it saves a checkpoint and ends. A second time: kill it."),
    "checkpoints": Verb("Keep", "checkpoints:checkpoints", "List, show, compare, rename or delete checkpoints."),
    "settings": Verb("Keep", "keep:settings", "List every setting with its value, what is allowed, and its variable."),
    "config": Verb("Keep", "keep:config", "Save settings under a name, and list or show what is saved."),
    "keys": Verb("Keep", "keys:keys", "List the keys of the app, and what other keys may be given in keys.toml."),
    "maintain": Verb("Keep", "maintain:maintain", "Tell what takes room; export, check, prune or delete it."),
}


class Verbs(click.Group):
    """A group whose commands are loaded when they are called, so that help and errors come at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the verbs, as the help orders them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command of a verb; None where there is none of that name."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name].command.partition(":")
        command = getattr(import_module(f"fext_tui.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one may be meant.

        Raises:
            click.UsageError: there is none of that name.

        """
        if args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no verb {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verbs by section, from the table alone."""
        for section in dict.fromkeys(verb.section for verb in VERBS.values()):
            with formatter.section(section):
                rows = [(name, verb.help) for name, verb in VERBS.items() if verb.section == section]
                formatter.write_dl(rows, col_max=14)
