"""What a person reads when a job is done: a title and a few lines."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from engine.records import JobRow
from engine.workspace import Workspace
from fext_tui.finding_kinds import TITLES, by_gravity
from fext_tui.text import decibel, duration, number, rate, safe

Lines = list[tuple[str, str]]


def summary(job: JobRow, workspace: Workspace) -> Group:
    """Return the result of a job as a title and aligned lines."""
    assert job.result is not None
    title, describe = _KINDS[job.kind]
    verb = title if job.state == "done" else "Stopped"
    head = Text.assemble(
        (verb, "bold green" if job.state == "done" else "bold yellow"), f" in {duration(job.seconds(time.time()))}"
    )
    return Group(head, lines_table(describe(job.result, workspace)))


def lines_table(lines: Lines) -> Table:
    """Return labels and values in two columns; values fold, so that a path can be copied whole."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in lines:
        table.add_row(label, Text(safe(value)))
    return table


def shown_path(path: object, workspace: Workspace) -> str:
    """Return a path of a result: relative to here where it lies below, else whole; empty for none."""
    if not path:
        return ""
    whole = workspace.actual_path(str(path))
    here = Path.cwd()
    return os.path.relpath(whole) if here != Path(here.anchor) and whole.is_relative_to(here) else str(whole)


def _with_skipped(lines: Lines, result: Mapping[str, Any]) -> Lines:
    if result.get("skipped"):
        lines.append(("skipped", f"{result['skipped']:,} that cannot be read; the job's log names them"))
    return lines


def _training(result: Mapping[str, Any], _: Workspace) -> Lines:
    name = result["checkpoint"]
    use = f"fext evaluate {name}   ·   fext encode {name} FOLDER"
    return [
        ("checkpoint", name),
        ("trained", f"{number(result['epochs'])} epochs, {result['steps']:,} steps, {rate(result['img_s'])}"),
        ("held out", decibel(result["val_psnr"])),
        ("next", f"fext resume {name}" if result["state"] == "stopped" else use),
    ]


def _evaluation(result: Mapping[str, Any], workspace: Workspace) -> Lines:
    lines = [
        ("images", number(result["images"])),
        ("PSNR", decibel(result["psnr"])),
        *_spread_of_psnr(result.get("summary", {})),
        ("SSIM", number(result["ssim"], 4)),
        *([("MS-SSIM", number(result["ms_ssim"], 4))] if result.get("ms_ssim") is not None else []),
        ("cosine", number(result["cosine"], 4)),
        ("MAE, MSE", f"{number(result['mae'], 4)}, {number(result['mse'], 5)}"),
    ]
    for place, one in enumerate(result.get("baselines", {}).values()):
        better = f"the network is better on {100 * one['network_better']:.0f} %"
        figures = f"{one['title']}: {decibel(one['psnr'])}, SSIM {number(one['ssim'], 4)}; {better}"
        lines.append(("" if place else "baselines", figures))
    for place, (name, one) in enumerate(result["worth"].items()):
        shares = (f"{method.replace('knn_', 'k-NN ')} {100 * share:.1f} %" for method, share in one.items())
        accuracies = ", ".join(shares)
        lines.append(("" if place else "labels told", f"{name}: {accuracies}"))
    lines.append(("figure", shown_path(result["figure"], workspace)))
    if result.get("report"):
        lines.append(("report", f"{shown_path(result['report'], workspace)}/report.html"))
    return _with_skipped(lines, result)


def _spread_of_psnr(summary: Mapping[str, Mapping[str, float]]) -> Lines:
    """Return how the PSNR is spread over the images; nothing for a result of an older version."""
    if "psnr" not in summary:
        return []
    names = {"min": "worst", "p5": "5 %", "p25": "25 %", "p50": "median", "p75": "75 %", "p95": "95 %", "max": "best"}
    return [("", " · ".join(f"{title} {summary['psnr'][name]:.1f}" for name, title in names.items()))]


def _encoding(result: Mapping[str, Any], workspace: Workspace) -> Lines:
    unchanged = f"; {result['unchanged']:,} were there before" if result["unchanged"] else ""
    lines = [
        ("vectors", f"{result['rows']:,} of {result['dim']:,} values{unchanged}"),
        ("file", shown_path(result["embeddings"], workspace)),
    ]
    return _with_skipped(lines, result)


def _export(result: Mapping[str, Any], workspace: Workspace) -> Lines:
    lines = [("" if place else "files", shown_path(path, workspace)) for place, path in enumerate(result["files"])]
    lines.append(("checked", f"within {result['difference']:.1g} of PyTorch, on {result['images']:,} images"))
    return [*lines, ("next", "docs/export.md shows how to use them")]


def _analysis(result: Mapping[str, Any], workspace: Workspace) -> Lines:
    before = f", {result['unchanged']:,} of them measured before" if result.get("unchanged") else ""
    lines = _with_skipped([("images", f"{result['images']:,}{before}")], result)
    findings = result.get("findings", {})
    for place, kind in enumerate(by_gravity(findings)):
        lines.append(("" if place else "findings", f"{findings[kind]:,}  {TITLES[kind]} ({kind})"))
    if result.get("summary"):
        lines.append(("compared", result["summary"]))
    tables = [result[kind] for kind in ("csv", "parquet") if result.get(kind)]
    lines += [("table", shown_path(table, workspace)) for table in tables]
    if result["plots"]:
        folder = shown_path(Path(result["plots"][0]).parent, workspace)
        lines.append(("plots", f"{len(result['plots'])} in {folder}"))
    if findings:
        lines.append(("next", "fext findings FOLDER   ·   fext exclude FOLDER --kind KIND"))
    return lines


def _anomalies(result: Mapping[str, Any], workspace: Workspace) -> Lines:
    usual = {"validation": "held-out", "training": "training", "folder": "reference"}[result["reference"]]
    beyond = f"beyond percentile {result['percentile']:g} of {result['reference_images']:,} {usual} images"
    lines = [
        ("images", number(result["images"])),
        ("anomalies", f"{result['anomalies']:,} {beyond}, {result['reference_beyond']:.1f} % of which are so too"),
    ]
    for label, rated in (("AUROC", result["auroc"]), ("precision", result["average_precision"])):
        if rated:
            lines.append((label, ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in rated.items())))
    if result["unrated"]:
        lines.append(("AUROC", f"none: {result['unrated']}"))
    lines.append(("table", shown_path(result["table"], workspace)))
    lines += [("figure", shown_path(figure, workspace)) for figure in result["figures"]]
    return _with_skipped(lines, result)


def _sample(result: Mapping[str, Any], workspace: Workspace) -> Lines:
    labels = result["labels"]
    return [
        ("images", f"{result['images']:,}"),
        ("labels", ", ".join(map(str, labels)) if isinstance(labels, list | tuple) else str(labels)),
        ("folder", shown_path(result["folder"], workspace)),
    ]


_KINDS: dict[str, tuple[str, Callable[[Mapping[str, Any], Workspace], Lines]]] = {
    "train": ("Trained", _training),
    "resume": ("Trained further", _training),
    "evaluate": ("Evaluated", _evaluation),
    "encode": ("Encoded", _encoding),
    "export": ("Exported", _export),
    "analyze": ("Analyzed", _analysis),
    "anomalies": ("Ranked", _anomalies),
    "sample": ("Drawn", _sample),
}
