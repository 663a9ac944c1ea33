"""Findings on the command line: listed, excluded, included, and reasons to fail; and two folders side by side."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet
import pytest

from engine.analysis import analyze
from engine.records import Finding, Records
from engine.report import CollectedReport
from engine.settings import Settings
from engine.workspace import Workspace
from fext_tui.cli.findings import conclude_or_fail
from fext_tui.cli.invocation import Invocation
from tests.fext_tui.cli.conftest import Ended

Fext = Callable[..., Ended]
STRANGE = os.fsdecode(b"strange \xff \x1b[31m\n.png")


@pytest.fixture
def flawed(pictures: Path) -> Path:
    """Return `pictures` with a black one, a duplicate in a folder of its own, and one that ends early."""
    cv2.imwrite(str(pictures / "black.png"), np.zeros((32, 40, 3), np.uint8))
    (pictures / "sub").mkdir()
    shutil.copy(pictures / "3.png", pictures / "sub" / "3.png")
    (pictures / "cut.png").write_bytes((pictures / "4.png").read_bytes()[:200])
    return pictures


@pytest.fixture
def analyzed(flawed: Path, workspace: Workspace, records: Records) -> Path:
    """Return `flawed`, which has been analyzed."""
    analyze(Settings(), workspace, records, CollectedReport(), folder=str(flawed))
    return flawed


def excluded(records: Records, folder: Path) -> list[str]:
    return sorted(records.excluded(records.dataset(folder)))


def test_findings_are_listed_the_gravest_first(fext: Fext, analyzed: Path) -> None:
    listed = fext("findings", "pictures", "--json").json
    assert listed["folder"] == str(analyzed)
    assert list(listed["counts"])[:4] == ["truncated", "duplicate", "dark", "low_information"]
    assert len(listed["findings"]) == sum(listed["counts"].values())
    assert listed["findings"][1] == {
        "kind": "duplicate", "path": "sub/3.png", "detail": "the same pixels", "other": "3.png", "excluded": False,
    }  # fmt: skip
    shown = fext("findings", "pictures").out
    assert "1  Duplicates " in shown
    assert shown.index("cut.png") < shown.index("sub/3.png") < shown.index("black.png")


def test_findings_of_one_kind(fext: Fext, analyzed: Path) -> None:
    assert fext("exclude", "pictures", "sub/3.png").code == 0
    shown = fext("findings", "pictures", "--kind", "duplicate").out
    assert shown.split("\n")[-2].split() == ["duplicate", "sub/3.png", "the", "same", "pixels", "3.png", "excluded"]
    assert "cut.png" not in shown
    assert fext("findings", "pictures", "--kind", "alpha").out == "No finding.\n"


def test_names_are_escaped_for_people_and_whole_for_commands(
    fext: Fext, call: Callable[..., list[str]], analyzed: Path, records: Records
) -> None:
    names = ("0.png", STRANGE)
    records.put_findings(records.dataset(analyzed), ["blurry"], [Finding(name, "blurry", "soft") for name in names * 2])
    assert r"strange \xff \x1b[31m\n.png" in fext("findings", "pictures", "--kind", "blurry").out
    assert fext("findings", "pictures", "--kind", "blurry", "--json").json["findings"][-1]["path"] == STRANGE
    for option, end in (("--paths", "\n"), ("-0", "\0")):
        command = call("findings", analyzed, "--kind", "blurry", option)
        out = subprocess.run(command, capture_output=True, check=True, timeout=240).stdout
        assert out == os.fsencode("".join(f"{analyzed / name}{end}" for name in names)), "each file once"


def test_a_table_ends_where_nobody_reads_on(fext: Fext, analyzed: Path, records: Records) -> None:
    many = [Finding(f"{number}.png", "blurry", "soft") for number in range(1100)]
    records.put_findings(records.dataset(analyzed), ["blurry"], many)
    assert "… and 100 more; " in fext("findings", "pictures", "--kind", "blurry").out
    assert len(fext("findings", "pictures", "--kind", "blurry", "--json").json["findings"]) == 1100


@pytest.mark.parametrize(
    "name",
    ["sub/3.png", "pictures/sub/3.png", "pictures/../pictures/sub//3.png", "{folder}/sub/3.png", "./sub/../sub/3.png"],
)
def test_files_are_named_as_the_shell_sees_them_or_within_the_folder(
    fext: Fext, analyzed: Path, records: Records, name: str
) -> None:
    ended = fext("exclude", "pictures", name.format(folder=analyzed), "black.png", "--json")
    assert ended.json == {"folder": str(analyzed), "changed": 2, "excluded": 2}
    assert excluded(records, analyzed) == ["black.png", "sub/3.png"]


def test_what_the_shell_sees_comes_first(
    fext: Fext, analyzed: Path, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(analyzed / "sub")
    assert fext("exclude", "..", "3.png").code == 0
    assert excluded(records, analyzed) == ["sub/3.png"]


def test_excluding_and_including(fext: Fext, analyzed: Path, records: Records) -> None:
    assert fext("exclude", "pictures", "--kind", "duplicate", "--json").json["changed"] == 1
    told = fext("exclude", "pictures", "cut.png", "sub/3.png").out
    assert told == f"1 images excluded. New runs on {analyzed} leave out 2; no file is touched.\n"
    fext("exclude", "pictures", "--kind", "dark", "1.png")
    assert excluded(records, analyzed) == ["1.png", "black.png", "cut.png", "sub/3.png"]
    assert fext("include", "pictures", "1.png", "2.png", "--json").json["changed"] == 1
    fext("include", "pictures", "--kind", "dark")
    assert excluded(records, analyzed) == ["cut.png", "sub/3.png"]
    (analyzed / "sub" / "3.png").unlink()
    assert fext("include", "pictures", "--all").out.startswith("2 images included again.")
    assert excluded(records, analyzed) == []


def test_a_list_of_paths_stands_for_a_folder(
    fext: Fext, flawed: Path, workspace: Workspace, records: Records, tmp_path: Path
) -> None:
    names = [f"pictures/{number}.png" for number in range(5)]
    chosen = tmp_path / "list.txt"
    chosen.write_text("\n".join([*names, str(flawed / "sub" / "3.png")]))
    analyze(Settings(), workspace, records, CollectedReport(), folder=str(chosen))
    [finding] = fext("findings", "list.txt", "--kind", "duplicate", "--json").json["findings"]
    assert {finding["path"], finding["other"]} == {"pictures/3.png", "pictures/sub/3.png"}
    paths = fext("findings", "list.txt", "--kind", "duplicate", "--paths").out.split()
    assert paths == [str(tmp_path / finding["path"])]
    fext("exclude", "list.txt", "pictures/3.png", "pictures/sub/3.png")
    assert excluded(records, chosen) == ["pictures/3.png", "pictures/sub/3.png"]


@pytest.mark.parametrize(
    ("arguments", "cause", "remedy"),
    [
        (("findings", "pictuers"), "No such file or directory", "Did you mean"),
        (("findings", "workspace"), "workspace was never analyzed", "fext analyze "),
        (("include", "workspace", "--all"), "workspace was never analyzed", "fext analyze "),
        (("findings", "pictures", "--kind", "bury"), "'bury' is not one of 'unreadable'", "fext findings --help"),
        (("exclude", "pictures"), "No file was named", "--kind"),
        (("include", "pictures"), "No file was named", "--kind"),
        (("exclude", "pictures", "1.png", "none.png"), "none.png is no image of", "analyze the folder again"),
        (("include", "pictures", "../1.png"), "../1.png is no image of", "Check the path"),
    ],
)
def test_what_cannot_be_is_said(
    fext: Fext, analyzed: Path, records: Records, arguments: tuple[str, ...], cause: str, remedy: str
) -> None:
    ended = fext(*arguments, "--json")
    assert ended.code == 2
    assert cause in ended.json["error"]["cause"]
    assert remedy in ended.json["error"]["remedy"]
    assert excluded(records, analyzed) == [], "all or nothing"


def test_training_leaves_out_what_is_excluded(process: Fext, analyzed: Path) -> None:
    assert process("exclude", "pictures", "--kind", "duplicate").code == 0
    small = ("--image-size", "32", "--epochs", "1", "--device", "cpu", "--set", "model.latent_channels=8")
    ended = process("train", "pictures", *small, "--name", "mine", "--json", seconds=240)
    assert ended.code == 0, ended.err
    assert "1 images are excluded; they are not used." in ended.err


# --- An analysis that fails ---------------------------------------------------------------------------------------


def test_an_analysis_fails_on_what_it_is_told(process: Fext, flawed: Path, tmp_path: Path) -> None:
    ended = process("analyze", "pictures", "--fail-on", "duplicate, truncated,alpha", "--parquet", "t.parquet")
    assert ended.code == 1
    assert "Error: There are findings to fail on: truncated 1, duplicate 1.\n" in ended.err
    lines = [line.split() for line in ended.err.splitlines()]
    assert ["truncated", "cut.png", "truncated"] in lines
    assert ["duplicate", "sub/3.png", "the", "same", "pixels", "3.png"] in lines
    for told in ("images    26", "1  Cut off (truncated)", "compared  ", "table     t.parquet", "plots     4 in "):
        assert told in ended.out
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").num_rows == 26

    ended = process("analyze", "pictures", "--fail-on", "any", "--json")
    assert (ended.code, ended.json["state"], ended.json["unchanged"]) == (1, "done", 26)
    assert ended.json["failed_on"] == ended.json["findings"]
    assert ended.json["listed"][1] == {
        "kind": "duplicate", "path": "sub/3.png", "detail": "the same pixels", "other": "3.png",
    }  # fmt: skip
    assert (len(ended.json["listed"]), ended.json["not_listed"]) == (sum(ended.json["findings"].values()), 0)

    ended = process("analyze", "pictures", "--fail-on", "alpha,odd_size", "--again", "--json")
    assert (ended.code, ended.json["failed_on"], ended.json["listed"]) == (0, {}, [])
    assert ended.json["unchanged"] == 0


def test_an_analysis_that_does_not_end_well_is_told_as_ever(process: Fext, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = process("analyze", "empty", "--fail-on", "any", "--json")
    assert (ended.code, ended.json["state"], "listed" in ended.json) == (1, "failed", False)
    assert "There is no image in" in ended.json["error"]["cause"]


def test_a_long_list_is_cut_off_and_says_so(
    analyzed: Path, records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    many = [Finding(f"{number}.png", "blurry", "soft") for number in range(1100)]
    records.put_findings(records.dataset(analyzed), ["blurry"], many)
    job = records.add_job("analyze", "cpu", {}, {})
    result = {"images": 1100, "findings": {"blurry": 1100, "dark": 1}, "folder": str(analyzed), "plots": []}
    records.change_job(job, state="done", started=0.0, ended=1.0, result=result)
    for as_json in (True, False):
        invocation = Invocation(resources=str(records.workspace.root), as_json=as_json)
        assert conclude_or_fail(("blurry",), invocation, records, records.job(job)) == 1
    out, err = capsys.readouterr()
    ended = Ended(1, out[: out.index("\n") + 1], err)
    assert (len(ended.json["listed"]), ended.json["not_listed"]) == (1000, 100)
    assert ended.json["failed_on"] == {"blurry": 1100}
    assert "… and 100 more" in err


def test_an_analysis_of_an_older_version_is_still_told(fext: Fext, idle: Records) -> None:
    job = idle.add_job("analyze", "cpu", {}, {})
    result = {"images": 7, "skipped": 2, "seconds": 1.0, "folder": "/gone", "plots": [], "csv": "table.csv"}
    idle.change_job(job, state="done", started=0.0, ended=1.0, result=result)
    told = fext("attach", job)
    assert told.code == 0
    assert [line.split()[0] for line in told.out.splitlines()] == ["Analyzed", "images", "skipped", "table"]


# --- Two folders --------------------------------------------------------------------------------------------------


@pytest.fixture
def darker(pictures: Path, tmp_path: Path) -> Path:
    """Return a folder of the same pictures, each half as bright, and one as it is."""
    folder = tmp_path / "darker"
    folder.mkdir()
    for path in pictures.glob("*.png"):
        cv2.imwrite(str(folder / path.name), cv2.imread(str(path)) // 2)
    shutil.copy(pictures / "5.png", folder / "same.png")
    return folder


def test_two_folders_are_compared(process: Fext, pictures: Path, darker: Path) -> None:
    near = ("--set", "data.near_distance=0")
    values = process("compare-data", "pictures", "darker", *near, "--json").json
    assert (values["train_images"], values["validation_images"]) == (23, 25), "without the image that is in both"
    assert values["leakage"] == values["findings"]["leakage"] >= 1
    assert set(values["channels"]) == {"gray", "red", "green", "blue"}
    assert values["channels"]["gray"]["mean_shift"] < -40
    apart = values["metrics"]["mean_gray"]
    assert apart["is_notable"]
    assert apart["means"][0] / apart["means"][1] == pytest.approx(2, rel=0.1)
    assert not values["metrics"]["width"]["is_notable"]
    assert "darker on the whole" in values["summary"]

    shown = process("compare-data", "pictures", "darker", *near, "--metrics", "exposure")
    assert shown.code == 0, shown.err
    assert "24 images measured, 24 of them before" in shown.err
    rows = {line.partition("  ")[0]: line.partition("  ")[2].split() for line in shown.out.splitlines()}
    assert float(rows["mean gray"][0]) == pytest.approx(apart["means"][0], rel=0.001)
    assert rows["mean gray"][-1] == "▲"
    assert rows["gray"][0].startswith("-")
    assert "23 images in pictures" in shown.out
    assert f"{values['leakage']} images of A are in B too" in shown.out
    assert "darker on the whole" in shown.out


def test_folders_that_cannot_be_compared(process: Fext, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ended = process("compare-data", "pictures", "broken", "--json")
    assert ended.code == 1
    assert "A and B cannot be compared" in ended.json["error"]["cause"]
