"""The scripts set up, mend and explain; interpreter and pip are stand-ins, so that nothing is fetched."""

import fcntl
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
PARALLEL = f"--numprocesses {min((3 * len(os.sched_getaffinity(0)) + 1) // 2, 8)} --dist worksteal"
SCRIPTS = ("scripts/start", "scripts/test", ".ci/run", "scripts/lib/environment.sh")

STAND_IN = r"""#!/bin/bash
# An interpreter that makes an environment of stand-ins and notes every installation.
here=$(dirname -- "$0")
case "$1 $2 $3" in
    "-m venv --clear")
        rm -rf -- "$5"/* && mkdir -p "$5/bin" && cp -- "$0" "$5/bin/python" && echo home >"$5/pyvenv.cfg" ;;
    "-m pip --version") echo pip ;;
    "-m pip install")
        echo "$*" >>"$NOTES"
        echo "Collecting everything"
        case "$PIP_FATE" in
            network) echo "ERROR: No matching distribution found for torch" && exit 1 ;;
            space) echo "OSError: [Errno 28] No space left on device" && exit 1 ;;
            slow) touch "$NOTES.busy"; while [[ ! -e "$NOTES.go" ]]; do sleep 0.05; done ;;
        esac
        echo "Installing collected packages: torch"
        echo '#!/bin/bash' >"$here/fext" && chmod +x "$here/fext"
        echo '[[ $1 == --version ]] || printf "%s|" "$FEXT_RESOURCES" "$@"; exit ${EXIT_WITH:-0}' >>"$here/fext"
        for tool in ruff mypy lint-imports pytest; do
            printf '#!/bin/bash\necho "ran %s $*"\n[[ $FAILING != %s ]]\n' $tool $tool >"$here/$tool"
            chmod +x "$here/$tool"
        done ;;
    *) exec "REAL" "$@" ;;
esac
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout, in a folder with a space in its name, that holds what the scripts look at."""
    root = tmp_path / "my checkout"
    for name in SCRIPTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, root / name)
    shutil.copy(CHECKOUT / "scripts/lib/relocate.py", root / "scripts/lib/relocate.py")
    for name in ("pyproject.toml", "constraints.txt"):
        (root / name).write_text(name)
    return root


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a call whose interpreter is the stand-in."""
    stand_in = tmp_path / "python"
    stand_in.write_text(STAND_IN.replace("REAL", sys.executable))
    stand_in.chmod(0o755)
    return {"PATH": os.environ["PATH"], "PYTHON": str(stand_in), "NOTES": str(tmp_path / "notes")}


@pytest.fixture
def start(checkout: Path, environment: dict[str, str]) -> Run:
    """Return a function that runs scripts/start with arguments and further variables."""

    def run(*arguments: str, script: Path | None = None, **more: str) -> "subprocess.CompletedProcess[str]":
        command = [str(script or checkout / "scripts/start"), *arguments]
        return subprocess.run(
            command, env=environment | more, cwd="/", text=True, capture_output=True, check=False, timeout=240
        )

    return run


@pytest.fixture
def installations(environment: Mapping[str, str]) -> Callable[[], list[str]]:
    """Return a function that gives the installations that were made."""
    notes = Path(environment["NOTES"])
    return lambda: notes.read_text().splitlines() if notes.exists() else []


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_valid_bash(name: str) -> None:
    subprocess.run(["bash", "-n", CHECKOUT / name], check=True)


def test_start_sets_up_once_and_passes_everything_on(
    start: Run, checkout: Path, installations: Callable[[], list[str]]
) -> None:
    first = start("train", "two words")
    assert (first.returncode, first.stdout) == (0, f"{checkout}/resources|train|two words|")
    assert "Making the environment" in first.stderr
    assert "-c constraints.txt -e ." in installations()[0]
    second = start("jobs", EXIT_WITH="3", FEXT_RESOURCES="/elsewhere")
    assert (second.returncode, second.stdout, second.stderr) == (3, "/elsewhere|jobs|", "")
    assert len(installations()) == 1


def test_start_works_through_a_link(start: Run, checkout: Path, tmp_path: Path) -> None:
    link = tmp_path / "go"
    link.symlink_to(checkout / "scripts/start")
    assert start(script=link).stdout == f"{checkout}/resources|"


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_an_outdated_environment_is_brought_up_to_date(
    start: Run, checkout: Path, installations: Callable[[], list[str]], name: str
) -> None:
    start()
    (checkout / name).write_text("changed")
    assert start().returncode == 0
    assert len(installations()) == 2
    assert start().stderr == ""


def test_an_environment_whose_interpreter_is_gone_is_made_anew(start: Run, checkout: Path) -> None:
    start()
    (checkout / ".venv/bin/python").unlink()
    ended = start()
    assert ended.returncode == 0
    assert "does not work any more" in ended.stderr


@pytest.fixture
def real(checkout: Path, environment: dict[str, str]) -> Path:
    """Return a checkout with a real environment, whose command and package lead to the checkout."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    packages = next((checkout / ".venv/lib").glob("python3*/site-packages"))
    (packages / "pip").mkdir()
    (packages / "pip/__main__.py").write_text("")
    (packages / "__editable__.fext_tui-0.1.0.pth").write_text(f"{checkout}\n")
    (checkout / "fext_tui").mkdir()
    (checkout / "fext_tui/__init__.py").write_text("import sys\nprint(sys.prefix, __path__[0])\n")
    command = checkout / ".venv/bin/fext"
    command.write_text(shebang(f"{checkout}/.venv/bin/python3") + "import fext_tui\n")
    command.chmod(0o755)
    (checkout / ".venv/.root").write_text(str(checkout))
    library = checkout / "scripts/lib/environment.sh"
    subprocess.run(["bash", "-c", f'. "{library}"; fingerprint >"$VENV/.installed-base"'], env=environment, check=True)
    return checkout


def shebang(python: str) -> str:
    """Return the first lines that pip gives a command."""
    return f"#!{python}\n" if " " not in python else f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"


@pytest.mark.parametrize("place", ["moved", "moved again/my checkout"])
def test_a_moved_checkout_is_mended_in_place(
    real: Path, start: Run, tmp_path: Path, installations: Callable[[], list[str]], place: str
) -> None:
    assert start().stdout == f"{real}/.venv {real}/fext_tui\n"
    moved = tmp_path / place
    moved.parent.mkdir(exist_ok=True)
    real.rename(moved)
    ended = start(script=moved / "scripts/start")
    assert ended.stdout == f"{moved}/.venv {moved}/fext_tui\n"
    assert f"was moved here from {real}" in ended.stderr
    assert start(script=moved / "scripts/start").stderr == ""
    assert installations() == []


def test_a_moved_checkout_that_cannot_be_mended_is_installed_again(
    start: Run, checkout: Path, tmp_path: Path, installations: Callable[[], list[str]]
) -> None:
    start()
    moved = checkout.rename(tmp_path / "moved")
    ended = start(script=moved / "scripts/start")
    assert (ended.returncode, ended.stdout) == (0, f"{moved}/resources|")
    assert len(installations()) == 2


def test_what_is_no_environment_is_never_overwritten(start: Run, checkout: Path) -> None:
    precious = checkout / ".venv/thesis.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    ended = start()
    assert ended.returncode == 1
    assert "is no Python environment" in ended.stderr
    assert precious.read_text() == "mine"


def test_an_interrupted_installation_is_taken_up_again(start: Run, installations: Callable[[], list[str]]) -> None:
    assert start(PIP_FATE="network").returncode == 1
    assert start().returncode == 0
    assert len(installations()) == 2


@pytest.mark.parametrize(("fate", "remedy"), [("network", "check the network"), ("space", "make room")])
def test_a_failed_installation_says_why_and_what_to_do(start: Run, fate: str, remedy: str) -> None:
    ended = start(PIP_FATE=fate)
    assert ended.returncode == 1
    assert "Error: The packages cannot be installed." in ended.stderr
    assert remedy in ended.stderr
    assert ended.stdout == ""


def tool(folder: Path, name: str, text: str) -> str:
    """Write a command that stands before all others, and return the search path."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_too_little_room_is_said_before_anything_is_made(start: Run, checkout: Path, tmp_path: Path) -> None:
    path = tool(tmp_path / "bin", "df", 'echo head; echo "disk 9 9 2000000 9% /"')
    ended = start(PATH=path)
    assert ended.returncode == 1
    assert "has 2 GB free; PyTorch and the rest need 9 GB" in ended.stderr
    assert not (checkout / ".venv").exists()


def only(folder: Path, *names: str) -> str:
    """Return a search path with these commands alone."""
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return str(folder)


NEEDED = (
    "bash", "env", "readlink", "dirname", "cat", "sha256sum", "flock", "ls", "rm", "mkdir", "df", "awk", "tee", "grep",
    "tail", "cp", "chmod",
)  # fmt: skip


def test_without_a_new_python_the_reason_and_the_remedy_are_told(start: Run, tmp_path: Path) -> None:
    path = only(tmp_path / "few", *NEEDED)
    old = tool(tmp_path / "old", "python3", "exit 1").split(":")[0]
    ended = start(PATH=f"{old}:{path}", PYTHON="")
    assert ended.returncode == 1
    assert "There is no Python 3.11 or newer" in ended.stderr
    assert "apt install python3" in ended.stderr
    ended = start(PYTHON="/no/such/python")
    assert ended.returncode == 1
    assert "PYTHON=/no/such/python is no Python" in ended.stderr


def test_without_a_venv_module_the_remedy_is_told(start: Run, tmp_path: Path) -> None:
    path = tool(tmp_path / "bin", "python-bare", '[[ $2 == "import venv"* ]] && exit 1; exit 0')
    ended = start(PATH=path, PYTHON="python-bare")
    assert ended.returncode == 1
    assert "has no venv module" in ended.stderr
    assert "python3-venv" in ended.stderr


def test_without_a_compiler_it_goes_on_and_says_so(start: Run, tmp_path: Path) -> None:
    ended = start("go", PATH=only(tmp_path / "few", *NEEDED))
    assert ended.returncode == 0
    assert "torch.compile stays off" in ended.stderr


def test_of_two_calls_at_once_one_installs(
    checkout: Path,
    environment: dict[str, str],
    installations: Callable[[], list[str]],
    wait_for: Callable[..., Any],
) -> None:
    notes = Path(environment["NOTES"])
    slow = environment | {"PIP_FATE": "slow"}
    command = [checkout / "scripts/start"]
    first = subprocess.Popen(command, env=slow, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for(Path(f"{notes}.busy").exists)
    second = subprocess.Popen(command, env=slow, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert second.stderr
    assert second.stderr.readline() == "Another call is setting up; waiting for it …\n"
    Path(f"{notes}.go").touch()
    for one in (first, second):
        assert one.communicate(timeout=240)[0] == f"{checkout}/resources|"
    assert len(installations()) == 1


def test_the_lock_is_not_handed_on_to_the_command(start: Run, checkout: Path) -> None:
    assert start().returncode == 0
    descriptor = os.open(checkout, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert start("quick").stdout.endswith("quick|"), "a prepared environment needs no lock"
    finally:
        os.close(descriptor)


def test_a_terminal_sees_what_happens(checkout: Path, environment: dict[str, str]) -> None:
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [checkout / "scripts/start"], env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    seen = b""
    while True:
        try:
            seen += os.read(leader, 65536)
        except OSError:
            break
    assert child.wait(timeout=240) == 0
    os.close(leader)
    assert b"Collecting everything" in seen
    assert b"Installing 1 packages" in seen


@pytest.mark.parametrize("failing", ["", "ruff", "mypy", "lint-imports", "pytest"])
def test_test_runs_every_check_and_fails_if_one_does(
    start: Run, checkout: Path, installations: Callable[[], list[str]], failing: str
) -> None:
    ended = start("-k", "some", script=checkout / ".ci/run", FAILING=failing)
    assert ended.returncode == (1 if failing else 0)
    ran = [line for line in ended.stdout.splitlines() if line.startswith("ran ")]
    assert ran == [
        "ran ruff check",
        "ran ruff format --check",
        "ran mypy ",
        "ran lint-imports ",
        f"ran pytest {PARALLEL} -k some",
    ]
    assert ("FAILED" in ended.stdout) == bool(failing)
    assert installations()[0].endswith("-e .[dev]")


def test_start_uses_what_test_installed(start: Run, checkout: Path, installations: Callable[[], list[str]]) -> None:
    start(script=checkout / "scripts/test")
    assert start("go").returncode == 0
    assert len(installations()) == 1
