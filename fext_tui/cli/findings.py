"""``fext findings``, ``exclude`` and ``include``, and an analysis that fails on some kinds of findings."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from rich.console import Group
from rich.table import Table

from engine.errors import EXIT_FAILED, UsageError
from engine.images.scan import root_of
from engine.records import JobRow, Records, Row
from fext_tui.cli.invocation import Invocation, absolute, existing_images
from fext_tui.cli.options import workspace_options
from fext_tui.cli.printing import messages, plain_table, print_paths, tell_error
from fext_tui.cli.submission import conclude
from fext_tui.cli.summary import lines_table
from fext_tui.finding_kinds import EXPLANATIONS, TITLES, by_gravity
from fext_tui.text import safe

_ANY = "any"
_MOST_LISTED = 1000
_FACTS = ("kind", "path", "detail", "other")


@dataclass(frozen=True)
class _Dataset:
    """What the records know of a folder, or of a list of paths."""

    records: Records
    folder: Path
    number: int

    @property
    def excluded(self) -> frozenset[str]:
        """The files that are excluded now."""
        return self.records.excluded(self.number)

    def findings(self, kinds: Iterable[str]) -> list[Row]:
        """Return the findings of those kinds, the gravest kind first."""
        return [row for kind in by_gravity(kinds) for row in self.records.findings(self.number, kind)]

    def chosen(self, paths: Sequence[str], kind: str | None) -> set[str]:
        """Return the files that arguments name, and those with findings of a kind.

        Raises:
            UsageError: a path is no image of the dataset.

        """
        known = self._known() if paths else set()
        found = {row["path"] for row in self.findings([kind])} if kind else set()
        return found | {self._named(path, known) for path in paths}

    def _known(self) -> set[str]:
        """Return all files that the records know, also those that cannot be read, or are excluded and gone."""
        images = {row["path"] for row in self.records.metric_rows(self.number, ())}
        return images | {row["path"] for row in self.findings(TITLES)} | self.excluded

    def _named(self, text: str, known: set[str]) -> str:
        """Return which file an argument names: one as the shell sees it, else one relative to the folder."""
        path = absolute(text)
        for name in (os.path.relpath(path, root_of(self.folder)), str(path), os.path.normpath(text)):
            if name in known:
                return name
        raise UsageError(
            f"{text} is no image of {self.folder} that the records know.",
            f"Check the path; where the image is new, analyze the folder again: fext analyze {self.folder}",
        )


@contextmanager
def _opened(invocation: Invocation, folder: str) -> Iterator[_Dataset]:
    """Give what the records know of an analyzed folder.

    Raises:
        UsageError: there is no such folder, or it was never analyzed.

    """
    path = absolute(folder)
    with invocation.records() as records:
        number = records.find_dataset(path)
        if number is None or not (records.histograms(number) or records.count_findings(number)):
            existing_images(folder)
            raise UsageError(f"{path} was never analyzed.", f"Do that first: fext analyze {path}")
        yield _Dataset(records, path, number)


_kind_option = partial(click.option, "--kind", type=click.Choice(list(TITLES)), metavar="KIND")
_KINDS = f"Kinds are {', '.join(TITLES)}."


@click.command(epilog=_KINDS)
@click.argument("folder")
@_kind_option(help="Findings of this kind only.")
@click.option("--paths", is_flag=True, help="Print the paths of the files alone, each once.")
@click.option("--null", "-0", is_flag=True, help="The same with a zero byte after each, for xargs -0.")
@workspace_options
@click.pass_obj
def findings(invocation: Invocation, folder: str, kind: str | None, paths: bool, null: bool) -> int:
    """List what the last analysis of FOLDER found in its files: damage, leakage, duplicates, outliers and so on."""
    with _opened(invocation, folder) as dataset:
        counts = dataset.records.count_findings(dataset.number)
        shown = [one for one in by_gravity(counts) if kind in {None, one}]
        rows = dataset.findings(shown)
    if (paths or null) and not invocation.as_json:
        root = root_of(dataset.folder)
        print_paths(dict.fromkeys(root / row["path"] for row in rows), null=null)
        return 0
    values = {
        "folder": str(dataset.folder),
        "counts": {one: counts[one] for one in shown},
        "findings": [_facts(row) | {"excluded": bool(row["excluded"])} for row in rows],
    }
    meanings = lines_table([(f"{counts[one]:,}  {TITLES[one]}", EXPLANATIONS[one]) for one in shown])
    told = Group(meanings, "", _table(rows[:_MOST_LISTED]), *_more(len(rows) - _MOST_LISTED))
    invocation.answer(values, told if rows else "No finding.")
    return 0


def _facts(row: Row) -> Row:
    return {name: row[name] for name in _FACTS}


def _table(rows: Sequence[Row]) -> Table:
    table = plain_table(*_FACTS, "")
    for row in rows:
        table.add_row(*(safe(row[name]) for name in _FACTS), "excluded" if row["excluded"] else "")
    return table


def _more(count: int) -> list[str]:
    return [f"… and {count:,} more; `fext findings FOLDER --json` or `--paths` gives all."] if count > 0 else []


@click.command(epilog=_KINDS)
@click.argument("folder")
@click.argument("paths", nargs=-1, metavar="[PATH …]")
@_kind_option(help="All files with findings of this kind.")
@workspace_options
@click.pass_obj
def exclude(invocation: Invocation, folder: str, paths: tuple[str, ...], kind: str | None) -> int:
    """Let training on FOLDER leave out some images: each PATH, or all with findings of a kind. No file is touched.

    PATH is as the shell names the file, or relative to FOLDER. Runs that have begun keep their images.
    """
    _refuse_none(paths, kind)
    with _opened(invocation, folder) as dataset:
        new = dataset.chosen(paths, kind) - dataset.excluded
        dataset.records.exclude(dataset.number, new)
        _tell_change(invocation, dataset, len(new), "excluded")
    return 0


@click.command(epilog=_KINDS)
@click.argument("folder")
@click.argument("paths", nargs=-1, metavar="[PATH …]")
@_kind_option(help="All files with findings of this kind.")
@click.option("--all", "every", is_flag=True, help="All that are excluded.")
@workspace_options
@click.pass_obj
def include(invocation: Invocation, folder: str, paths: tuple[str, ...], kind: str | None, every: bool) -> int:
    """Let training on FOLDER use excluded images again: each PATH, all with findings of a kind, or all."""
    _refuse_none(paths, kind or every)
    with _opened(invocation, folder) as dataset:
        before = dataset.excluded
        back = before if every else before & dataset.chosen(paths, kind)
        dataset.records.include(dataset.number, back)
        _tell_change(invocation, dataset, len(back), "included again")
    return 0


def _refuse_none(paths: Sequence[str], others: object) -> None:
    if not paths and not others:
        raise UsageError("No file was named.", "Give paths, or --kind for all files with findings of that kind.")


def _tell_change(invocation: Invocation, dataset: _Dataset, changed: int, word: str) -> None:
    left = len(dataset.excluded)
    values = {"folder": str(dataset.folder), "changed": changed, "excluded": left}
    told = f"{changed:,} images {word}. New runs on {safe(dataset.folder)} leave out {left:,}; no file is touched."
    invocation.answer(values, told)


# --- An analysis that fails -------------------------------------------------------------------------------------


def _kinds(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    kinds = tuple(kind.strip() for kind in value.split(","))
    for kind in kinds:
        if kind not in TITLES and kind != _ANY:
            raise click.BadParameter(f"{kind!r} is none of {_ANY}, {', '.join(TITLES)}.", context, parameter)
    return kinds


fail_on_option = click.option(
    "--fail-on", metavar="KIND,…|any", callback=_kinds,
    help="End with exit code 1 where files that are not excluded have findings of these kinds, and list them.",
)  # fmt: skip


def refuse_unjudged(invocation: Invocation, kinds: Sequence[str]) -> None:
    """Refuse kinds that an analysis with the settings of this call never finds.

    Raises:
        UsageError: their metrics are not to be measured, or there is no validation folder that could leak.

    """
    if not kinds:
        return
    from engine.analysis.findings import CUTS
    from engine.records.images import metric_group

    settings = invocation.settings()
    if "leakage" in kinds and not settings.data.validation_folder:
        raise UsageError("Without a validation folder, there is no leakage to fail on.", "Add --validation FOLDER.")
    needed = {cut.kind: metric_group(cut.column) for cut in CUTS}
    for kind in kinds:
        group = needed.get(kind)
        if group and group not in settings.analysis.metrics:
            raise UsageError(f"Without the metrics of {group}, no image is found {kind}.", f"Add {group} to --metrics.")


def conclude_or_fail(kinds: Sequence[str], invocation: Invocation, records: Records, job: JobRow) -> int:
    """Tell what an analysis found; with findings of those kinds, list them on standard error and return 1.

    Files that are excluded from training count no more.
    """
    assert job.result is not None
    folder = invocation.workspace().actual_path(job.result["folder"])
    dataset = _Dataset(records, folder, records.dataset(folder))
    wanted = [kind for kind in job.result["findings"] if kind in kinds or _ANY in kinds]
    found = [row for row in dataset.findings(wanted) if not row["excluded"]]
    failed = Counter(str(row["kind"]) for row in found)
    rows, more = found[:_MOST_LISTED], len(found) - _MOST_LISTED
    code = conclude(
        invocation, job, {"failed_on": failed, "listed": list(map(_facts, rows)), "not_listed": max(more, 0)}
    )
    if not failed:
        return code
    counts = ", ".join(f"{kind} {count:,}" for kind, count in failed.items())
    tell_error(f"There are findings to fail on: {counts}.", f"`fext findings {folder}` tells what each kind means.")
    messages().print(_table(rows), *_more(more), sep="\n")
    return EXIT_FAILED
