"""Where things lie."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.configurations import load_settings
from engine.errors import FextError, UsageError
from engine.settings import environment_template
from engine.workspace import Workspace, check_name, find_workspace

REPOSITORY = Path(__file__).parents[2]


def test_the_tree_is_made_and_what_is_there_stays(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "deep" / "workspace").create()
    for folder in ("database/images", "database/inference/images", "database/validation/dataset", "database/metadata",
                   "checkpoints", "configurations", "logs", "templates"):  # fmt: skip
        assert (workspace.root / folder).is_dir()
    (workspace.templates / ".env").write_text("mine")
    workspace.create()
    assert (workspace.templates / ".env").read_text() == "mine"


def test_the_template_holds_the_variables_that_are_read(workspace: Workspace) -> None:
    assert (workspace.templates / ".env").read_text(encoding="utf-8") == environment_template()


def test_the_committed_template_is_the_one_that_the_schema_gives() -> None:
    assert (REPOSITORY / "resources/templates/.env").read_text(encoding="utf-8") == environment_template()


def test_the_environment_file_of_a_workspace_is_read(workspace: Workspace) -> None:
    text = environment_template().replace("# FEXT_TRAINING_EPOCHS=100", "FEXT_TRAINING_EPOCHS=7")
    workspace.environment_file.write_text(text, encoding="utf-8")
    assert load_settings(workspace, {}).training.epochs == 7


def test_explicit_wins_over_variable_wins_over_here_wins_over_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert find_workspace(None, {}).root.is_relative_to(tmp_path / "home")
    (tmp_path / "resources").mkdir()
    assert find_workspace(None, {}).root == tmp_path / "resources"
    assert find_workspace(None, {"FEXT_RESOURCES": str(tmp_path / "b")}).root == tmp_path / "b"
    assert find_workspace(str(tmp_path / "a"), {"FEXT_RESOURCES": str(tmp_path / "b")}).root == tmp_path / "a"


def test_a_relative_workspace_keeps_its_place_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(Path("here"))
    monkeypatch.chdir("/")
    assert workspace.root == tmp_path / "here"


def test_stored_paths_survive_a_move_of_the_workspace(tmp_path: Path) -> None:
    before, after = Workspace(tmp_path / "before"), Workspace(tmp_path / "after")
    stored = before.stored_path(before.images / "a" / ".." / "b")
    assert after.actual_path(stored) == after.images / "b"
    outside = before.stored_path(tmp_path / "elsewhere")
    assert after.actual_path(outside) == tmp_path / "elsewhere"


def test_a_workspace_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FextError, match="cannot be made") as caught:
        Workspace(tmp_path / "file").create()
    assert "--resources" in caught.value.remedy


def test_a_workspace_without_write_permission_says_so(tmp_path: Path) -> None:
    """As a user without the rights of root, who may write everywhere."""
    code = (
        "import os, sys; from pathlib import Path; from engine.workspace import Workspace\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: Workspace(Path(sys.argv[1])).create()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    root = tmp_path / "locked"
    root.mkdir(mode=0o555)
    for folder in [tmp_path, *tmp_path.parents[:-2]]:
        if folder.owner() == Path.home().owner():
            folder.chmod(0o755)
    told = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True).stdout
    assert "FextError" in told
    assert "Permission denied" in told


@pytest.mark.parametrize("name", ["a", "Run_1.2-x", "0" * 100])
def test_names(name: str) -> None:
    assert check_name(name, "run") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-x", "a/b", "a\\b", "a b", "a\n", "ä", "٣", "a\x1b[2J", "0" * 101, "images"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name, "run")


@given(st.text())
def test_a_checked_name_stays_in_its_folder(name: str) -> None:
    try:
        check_name(name, "run")
    except UsageError:
        return
    assert os.path.normpath(f"/x/{name}") == f"/x/{name}"
