"""How the doctor judges card, driver and PyTorch together, and what it says of records and compiling."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.records import Records
from engine.workspace import Workspace
from fext_tui import doctor
from fext_tui.doctor import cuda_check, has_nvidia_card

BUILT: Mapping[str, Any] = {"cuda": "13.0", "gpus": [], "problem": ""}
DRIVER = "550.54, for CUDA 12.4"


@pytest.mark.parametrize(
    ("told", "driver", "card", "state", "remedy"),
    [
        (BUILT, "", False, "good", ""),
        (BUILT, "", True, "notice", "Install the driver"),
        (BUILT | {"gpus": ["GPU 0: H100, 80 GiB"]}, DRIVER, True, "good", ""),
        (BUILT | {"cuda": None}, DRIVER, True, "notice", "pytorch.org"),
        (BUILT | {"problem": "The driver is too old.\nmore"}, DRIVER, True, "bad", "CUDA 13.0 or newer"),
    ],
)
def test_driver_and_pytorch_must_go_together(
    told: Mapping[str, Any], driver: str, card: bool, state: str, remedy: str
) -> None:
    check = cuda_check(told, driver, has_card=card)
    assert check.state == state
    assert remedy in check.remedy
    assert bool(check.remedy) == (state != "good")
    if told["problem"]:
        assert "The driver is too old." in check.found
        assert "more" not in check.found


def test_a_card_is_found_by_its_maker_and_kind(tmp_path: Path) -> None:
    for name, kind, vendor in (("00", "0x030000", "0x1002"), ("01", "0x020000", "0x10de")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "class").write_text(f"{kind}\n")
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
    assert not has_nvidia_card(tmp_path)
    (tmp_path / "00" / "vendor").write_text("0x10de\n")
    assert has_nvidia_card(tmp_path)
    assert not has_nvidia_card(tmp_path / "absent")


def test_a_child_that_fails_leaves_its_last_words() -> None:
    assert doctor._child("raise RuntimeError('no such compiler')", 60) == "RuntimeError: no such compiler"
    assert doctor._child("import json; print('noise'); print(json.dumps({'cpu': 1}))", 60) == {"cpu": 1}
    assert doctor._child("import time; time.sleep(60)", 1) == "it did not end in 1 s"


def test_compiling_that_fails_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_COMPILE_PROBE", "raise RuntimeError('Python.h is missing')")
    check = doctor._compiling()
    assert (check.state, "Python.h is missing" in check.found) == ("bad", True)
    assert "g++" in check.remedy
    monkeypatch.setattr(doctor, "_COMPILE_PROBE", "print('{\"cpu\": 3.1}')")
    assert doctor._compiling().found == "3.1 s on cpu"


def test_records_that_can_only_be_read_are_told_so(
    workspace: Workspace, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor._records(records).state == "good"
    monkeypatch.setattr("fext_tui.doctor.os.access", lambda *_: False)
    check = doctor._records(records)
    assert (check.state, "read only" in check.found) == ("notice", True)


def test_records_on_a_network_file_system_are_told_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.records.opening._on_network", lambda _: True)
    with Records(workspace) as records:
        check = doctor._records(records)
    assert (check.state, "network" in check.found) == ("notice", True)
