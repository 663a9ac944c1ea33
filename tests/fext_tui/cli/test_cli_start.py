"""What comes before any work: help, versions, wrong usage, and what is not loaded."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pyte
import pytest

from fext_tui.cli.entry import run
from fext_tui.cli.verbs import VERBS

HEAVY = (
    "torch", "textual", "matplotlib", "cv2", "numpy", "numba", "pyarrow", "pydantic", "peewee", "rich.progress",
    "plotext",
)  # fmt: skip

PROBE = """
import sys
from fext_tui.cli.entry import run
code = run(sys.argv[1:])
loaded = [name for name in {heavy!r} if name in sys.modules]
sys.exit(f"code {{code}}" if code else ", ".join(loaded) if loaded else 0)
"""


def modules_loaded_by(*arguments: str, heavy: tuple[str, ...]) -> str:
    command = [sys.executable, "-c", PROBE.format(heavy=heavy), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["help"], ["help", "settings"]])
def test_help_guides_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    assert modules_loaded_by(*arguments, heavy=HEAVY) == ""


@pytest.mark.parametrize(
    "verb",
    ["jobs", "checkpoints", "settings", "train --help", "analyze --help", "exclude --help", "compare-data --help"],
)
def test_verbs_load_neither_torch_nor_the_app(verb: str, tmp_path: object) -> None:
    heavy = ("torch", "textual", "matplotlib", "cv2", "numba", "pyarrow")
    assert modules_loaded_by("--resources", str(tmp_path), *verb.split(), heavy=heavy) == ""


def test_help_shows_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, verb in VERBS.items():
        assert name in shown
        assert verb.help.split()[0] in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_of_its_own(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: fext {verb} ")


@pytest.mark.parametrize(
    ("arguments", "cause", "remedy"),
    [
        (["trian"], "There is no verb 'trian'. Did you mean 'train'?", "`fext --help`"),
        (["train", "--epoch", "3", "--nonsense"], "No such option", "`fext train --help`"),
        (["evaluate"], "Missing argument 'CHECKPOINT'", "`fext evaluate --help`"),
        (["stop", "one"], "'one' is not a valid integer", "`fext stop --help`"),
        (["settings", "--set", "training.epochs"], "is not group.field=value", "`fext settings --help`"),
        (
            ["settings", "--set", "training.epoch=3"],
            "Unknown setting 'training.epoch'",
            "Did you mean 'training.epochs'?",
        ),
        (["settings", "--set", "training.epochs=0"], "training.epochs = '0' is not valid", "at least 1"),
        (["settings", "--preset", "quik"], "Unknown preset 'quik'", "quick"),
        (["settings", "--config", "mine"], "There is no configuration 'mine'", "none yet"),
        ([], "The app needs a terminal", "`fext --help`"),
    ],
)
def test_wrong_usage_tells_cause_and_remedy(
    arguments: list[str], cause: str, remedy: str, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    assert run(["--resources", str(tmp_path), *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Error: ")
    assert cause in shown.err
    assert remedy in shown.err


def test_errors_are_json_where_json_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trian", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {
        "cause": "There is no verb 'trian'. Did you mean 'train'?",
        "remedy": "`fext --help` tells what is possible.",
    }


def test_an_unknown_variable_of_the_product_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FEXT_TRAINING_EPOCH", "3")
    assert run(["settings"]) == 2
    assert "Did you mean FEXT_TRAINING_EPOCHS?" in capsys.readouterr().err


def test_without_a_verb_the_app_opens(call: Callable[..., list[str]], wait_for: Callable[..., Any]) -> None:
    leader, follower = pty.openpty()
    os.set_blocking(leader, False)
    subprocess.run(["stty", "rows", "24", "cols", "80"], stdin=follower, check=True)
    streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), follower)
    child = subprocess.Popen(call(), env=os.environ | {"TERM": "xterm-256color"}, **streams)
    os.close(follower)
    screen = pyte.Screen(80, 24)
    stream = pyte.ByteStream(screen)

    def shows(text: str) -> bool:
        try:
            stream.feed(os.read(leader, 65536))
        except OSError:  # there is nothing to read yet, or nothing any more
            return False
        return text in "\n".join(screen.display)

    wait_for(lambda: shows("Quit"), what="the app's footer")
    os.write(leader, b"q")
    wait_for(lambda: child.poll() is not None or shows("never"), what="the end of the app")
    os.close(leader)
    assert child.returncode == 0


def test_the_app_needs_all_of_a_terminal(call: Callable[..., list[str]]) -> None:
    """It draws on standard error: with that in a file, nothing would be seen and no key understood."""
    leader, follower = pty.openpty()
    done = subprocess.run(call(), stdin=follower, stdout=follower, stderr=subprocess.PIPE, check=False, timeout=240)
    os.close(follower)
    os.close(leader)
    assert done.returncode == 2
    assert b"The app needs a terminal." in done.stderr
