"""Nothing that is loaded runs, nothing is given to a shell, nobody else may read, and no secret is written down."""

import ast
import io
import json
import os
import pickle
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.anomalies.reference import read_reference
from engine.errors import FextError
from engine.images.layout import Layout
from engine.images.packfile import read_pack
from engine.models.loading import load_tensors
from engine.settings import FIELDS
from engine.workspace import Workspace
from tests.hostile.corpus import encoded
from tests.hostile.readers import Target, targets

CHECKOUT = Path(__file__).parents[2]
OWN = ("engine", "fext_tui", "scripts")


class Owned:
    """What makes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def as_pickle(mark: Path) -> bytes:
    return pickle.dumps(Owned(mark))


def as_torch(mark: Path) -> bytes:
    file = io.BytesIO()
    torch.save({"stem.weight": Owned(mark)}, file)
    return file.getvalue()


def as_array(mark: Path) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Owned(mark)] * 30, dtype=object), allow_pickle=True)
    return file.getvalue()


def as_arrays(mark: Path) -> bytes:
    file = io.BytesIO()
    np.savez(file, key=np.array([Owned(mark)], dtype=object), judge=np.array([Owned(mark)], dtype=object))
    return file.getvalue()


def as_python(mark: Path) -> bytes:
    return f"__import__('os').mkdir({str(mark)!r})\n".encode()


PAYLOADS = (as_pickle, as_torch, as_array, as_arrays, as_python)


@pytest.fixture(scope="module")
def every_target(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("trust"))


def test_the_payloads_would_run(tmp_path: Path) -> None:
    """What is proved below is not that they are broken."""
    pickle.loads(as_pickle(tmp_path / "one"))  # noqa: S301
    np.load(io.BytesIO(as_array(tmp_path / "two")), allow_pickle=True)
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_is_read_runs(
    every_target: dict[str, Target], tmp_path: Path, payload: Callable[[Path], bytes]
) -> None:
    mark = tmp_path / "owned"
    for target in every_target.values():
        for path, sound in target.files.items():
            path.write_bytes(payload(mark))
            try:
                target.prepare(path)
                target.read()
            except FextError as error:
                assert error.cause
            finally:
                path.write_bytes(sound)
    (tmp_path / "reference.npz").write_bytes(payload(mark))
    assert read_reference(tmp_path / "reference.npz", "key", 5) is None
    assert not mark.exists()


def safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """Return a safetensors file with this header."""
    text = json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(start: int, end: int, *shape: int, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": list(shape), "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "content",
    [
        safetensors({"a": tensor(0, 8, 2), "b": tensor(4, 12, 2)}, bytes(12)),
        safetensors({"a": tensor(0, 8, 2), "b": tensor(0, 8, 2)}, bytes(8)),
        safetensors({"a": tensor(0, 8, 2)}, bytes(4)),
        safetensors({"a": tensor(0, 2**62, 2**60)}, bytes(4)),
        safetensors({"a": tensor(2**63, 2**63 + 8, 2)}, bytes(8)),
        safetensors({"a": tensor(-8, 0, 2)}, bytes(8)),
        safetensors({"a": tensor(8, 0, 2)}, bytes(8)),
        safetensors({"a": tensor(0, 8, 2**32, 2**32, 2**32)}, bytes(8)),
        safetensors({"a": tensor(0, 8, 2)}, bytes(800)),
        safetensors({"a": tensor(4, 12, 2)}, bytes(12)),
        safetensors({"a": tensor(0, 8, 2, kind="OBJECT")}, bytes(8)),
        safetensors({"a": tensor(0, 8, 2)}, bytes(8), length=2**63),
        safetensors({"a": tensor(0, 8, 2)}, bytes(8), length=99_000_000),
        safetensors({"a": {}}),
        safetensors([]),
        safetensors({"__metadata__": {"a": {"b": 1}}}),
        b"",
        b"\xff" * 8,
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(FextError, match="cannot be read"):
        load_tensors(tmp_path / "model.safetensors")


def test_a_pack_of_objects_is_none(tmp_path: Path) -> None:
    (tmp_path / "images.npy").write_bytes(as_array(tmp_path / "owned"))
    (tmp_path / "index.csv").write_text("row,path,bytes,modified_ns,content_hash,perceptual_hash,reason\r\n")
    assert read_pack(tmp_path, Layout(16, 16, gray=False)) is None
    assert not (tmp_path / "owned").exists()


def test_no_setting_names_what_is_run_or_written() -> None:
    """A configuration or a checkpoint of another's can name folders of images, to be read; nothing else of the disk."""
    texts = {key for key, field in FIELDS.items() if field.kind == "text"}
    folders = {"data.folder", "data.validation_folder", "encoding.folder", "analysis.folder"}
    names = {"evaluation.color_by", "device.compile_backend", "device.rendezvous"}
    assert texts <= folders | names


# --- What the code calls ----------------------------------------------------------------------------------------

RUNS_CODE = {
    "eval", "exec", "compile", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "shelve.open", "torch.load", "joblib.load",
    "yaml.load", "np.memmap.load", "runpy.run_path", "asyncio.create_subprocess_shell",
}  # fmt: skip
STARTS = {"subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output"}


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield file, name and call of everything that the product's code calls by name."""
    for path in sorted(path for folder in OWN for path in (CHECKOUT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(CHECKOUT).as_posix(), ast.unparse(node.func), node


def keywords(call: ast.Call) -> dict[str, str]:
    return {word.arg or "**": ast.unparse(word.value) for word in call.keywords}


def test_no_code_of_a_file_is_run() -> None:
    assert [(path, name) for path, name, _ in calls() if name in RUNS_CODE] == []


def test_arrays_are_loaded_without_pickles() -> None:
    loads = [(path, call) for path, name, call in calls() if name in {"np.load", "numpy.load"}]
    assert len(loads) >= 2
    assert [path for path, call in loads if keywords(call).get("allow_pickle") != "False"] == []


def test_no_process_has_a_shell_or_our_standard_input() -> None:
    starts = [(path, call) for path, name, call in calls() if name in STARTS]
    assert len(starts) >= 8
    for path, call in starts:
        told = keywords(call)
        assert "shell" not in told, path
        assert not isinstance(call.args[0], ast.Constant | ast.JoinedStr), path
        if not path.startswith("scripts/"):
            assert told.get("stdin") in {"subprocess.DEVNULL", "subprocess.PIPE"}, path


def test_scripts_evaluate_nothing() -> None:
    scripts = [path for path in (CHECKOUT / "scripts").rglob("*") if path.is_file() and path.suffix in {"", ".sh"}]
    assert len(scripts) >= 5
    for path in scripts:
        words = path.read_text(encoding="utf-8").split()
        assert "eval" not in words, path
        assert "set -euo pipefail" in path.read_text(encoding="utf-8") or path.name == "environment.sh", path


# --- Who may read, and what is written down ---------------------------------------------------------------------

WRITE = """
import sys
from pathlib import Path
from engine.configurations import save_configuration
from engine.files import new_folder, replace_file
from engine.jobs.process import spawn
from engine.records import Records
from engine.settings import Settings
from engine.workspace import Workspace
workspace = Workspace(Path(sys.argv[1])).create()
with Records(workspace) as records:
    records.add_run("first", "redux")
    save_configuration(workspace, "mine", Settings())
    with new_folder(workspace.checkpoints / "first") as folder:
        (folder / "file").write_bytes(b"x")
    replace_file(workspace.logs / "replaced", b"x")
    spawn("engine.errors", (), workspace.log_of_job(1)).wait()
"""


@pytest.mark.parametrize(("umask", "file", "database"), [(0o077, 0o600, 0o600), (0o002, 0o664, 0o644)])
def test_files_are_made_with_the_mask_of_the_user(tmp_path: Path, umask: int, file: int, database: int) -> None:
    root = tmp_path / "workspace"
    subprocess.run([sys.executable, "-c", WRITE, root], check=True, umask=umask, cwd=CHECKOUT)
    modes = {path.relative_to(root): stat.S_IMODE(path.lstat().st_mode) for path in (root, *root.rglob("*"))}
    assert {path for path, mode in modes.items() if mode & umask} == set()
    for name in ("configurations/mine.toml", "logs/replaced", "checkpoints/first/file", "logs/job-1.log"):
        assert modes[Path(name)] == file, name
    assert modes[Path("database/FEXT_database.db")] == database


def test_no_variable_of_the_environment_is_written_down(workspace: Workspace, tmp_path: Path) -> None:
    """A real job, and one that fails, under a secret: it is in none of the files that they leave."""
    secret = "hunter2-9f31"  # noqa: S105
    (workspace.images / "a.png").write_bytes(encoded("PNG"))
    (workspace.images / "b.png").write_bytes(b"no picture")
    (workspace.root / ".env").write_text(f"# a note\nOTHER_TOKEN={secret}\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FEXT_")}
    for verb in (("analyze",), ("evaluate", "none")):
        done = subprocess.run(
            [sys.executable, "-m", "fext_tui", "--resources", workspace.root, *verb],
            env=environ | {"API_TOKEN": secret, "AWS_SECRET_ACCESS_KEY": secret}, cwd=CHECKOUT, capture_output=True,
            text=True, check=False, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        assert done.returncode == (0 if verb == ("analyze",) else 2), done.stderr
        assert secret not in done.stdout + done.stderr
    (workspace.root / ".env").unlink()
    written = [path for path in workspace.root.rglob("*") if path.is_file()]
    assert workspace.log_of_job(1) in written
    assert [path for path in written if secret.encode() in path.read_bytes()] == []
