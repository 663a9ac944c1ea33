"""Every setting changes something: the reference run of each task differs when the setting does."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.analysis import analyze
from engine.analysis.findings import judge
from engine.anomalies import find_anomalies
from engine.checkpoints import find_checkpoint, fingerprint, tags_of
from engine.encoding import encode
from engine.evaluation import evaluate
from engine.images.parallel import worker_count
from engine.records import Records
from engine.report import CollectedReport
from engine.settings import FIELDS, Settings, from_layers
from engine.training import train
from engine.workspace import Workspace

# What the reference run has switched on, so that the settings below it matter.
BASE: dict[str, Any] = {
    "augmentation.enabled": True,
    "augmentation.brightness_probability": 0.7,
    "augmentation.contrast_probability": 0.7,
    "training.warmup_steps": 2,
    "training.weight_decay": 0.2,
}

TRAIN: dict[str, Any] = {
    "data.folder": "OTHER",
    "data.validation_folder": "OTHER",
    "data.image_height": 24,
    "data.image_width": 24,
    "data.grayscale": True,
    "data.sample_fraction": 0.5,
    "data.validation_fraction": 0.4,
    "data.split_seed": 1,
    "data.shuffle": False,
    "data.shuffle_buffer": 8,
    "data.pack": "off",
    "augmentation.enabled": False,
    "augmentation.flip_horizontal": 0.0,
    "augmentation.flip_vertical": 0.0,
    "augmentation.brightness": 0.05,
    "augmentation.brightness_probability": 0.0,
    "augmentation.contrast_low": 0.95,
    "augmentation.contrast_high": 1.05,
    "augmentation.contrast_probability": 0.0,
    "model.variant": "medium",
    "model.latent_channels": 9,
    "model.downsampling": 16,
    "model.dropout": 0.3,
    "model.shortcut": False,
    "model.bases": 2,
    "model.whitening": False,
    "objective.noise": 0.1,
    "objective.masked": 0.5,
    "objective.agreement": 0.5,
    "training.seed": 7,
    "training.epochs": 3,
    "training.minutes": 0.01,
    "training.batch_size": 4,
    "training.micro_batch": 2,
    "training.loss": "mse",
    "training.learning_rate": 0.004,
    "training.final_learning_rate": 0.0005,
    "training.schedule": "constant",
    "training.warmup_steps": 0,
    "training.weight_decay": 0.0,
    "training.gradient_clip": 0.01,
    "training.ema": 0.9,
    "training.validate_every_steps": 1,
    "training.validate_every_seconds": 1e-9,
    "training.checkpoint_every": 1,
    "training.checkpoint_steps": 1,
    "training.keep_every_minutes": 1e-9,
    "training.checkpoint_minutes": 1e-9,
    "training.tensorboard": True,
    "training.find_batch": True,
    "training.probe_images": 2,
    "device.precision": "bfloat16",
    "evaluation.batch_size": 3,
}

# Only read where another setting makes them matter: key, value, and what must be set beside it.
CONDITIONAL: dict[str, tuple[Any, dict[str, Any]]] = {
    "data.sample_seed": (9, {"data.sample_fraction": 0.5}),
    "data.near_distance": (0, {"data.folder": "MIXED"}),
    "objective.mask_size": (8, {"objective.masked": 0.5}),
    "model.projection": (16, {"objective.agreement": 0.5}),
    "objective.temperature": (0.5, {"objective.agreement": 0.5}),
    "objective.view_area": (0.9, {"objective.agreement": 0.5}),
    "objective.view_color": (0.0, {"objective.agreement": 0.5}),
    "objective.view_rotation": (0.0, {"objective.agreement": 0.5}),
    "training.probe_every": (2, {"training.probe_images": 2}),
    "training.keep_checkpoints": (1, {"training.checkpoint_every": 1}),
    "training.patience": (1, {"training.min_gain": 100.0}),
    "training.min_gain": (100.0, {"training.patience": 1, "training.min_gain": 0.0}),
    "training.hold_steps": (2, {"training.schedule": "hold_decay", "training.decay_steps": 4}),
    "device.compile": ("on", {"device.compile_backend": "eager"}),
    "device.compile_backend": ("eager", {"device.compile": "on", "device.compile_backend": "aot_eager"}),
    "training.decay_steps": (2, {"training.schedule": "hold_decay", "training.hold_steps": 2}),
}

# Cut-offs that tell more or fewer of the images in the mixed folder.
CUT_OFFS: dict[str, float] = {
    "analysis.dark_below": 120.0,
    "analysis.light_above": 120.0,
    "analysis.information_below": 6.0,
    "analysis.blur_below": 0.35,
    "analysis.size_factor": 1.5,
    "analysis.aspect_above": 1.5,
    "analysis.outlier_above": 3.0,
    "data.near_distance": 0,
}

# Proven by tests of their own in this file, or where they act.
ELSEWHERE = {
    "training.additional_epochs", "training.accept_changed_images", "training.live_plot", "device.kind", "device.id",
    "device.processes", "device.nodes", "device.rendezvous", "device.workers",
    "evaluation.compared_images", "evaluation.baseline_images", "evaluation.seed",
    "evaluation.feature_images", "evaluation.color_by",
    "encoding.folder", "encoding.batch_size", "encoding.pooling", "encoding.dtype", "analysis.folder",
    "analysis.metrics", "analysis.sample_fraction", "analysis.sample_seed",
    "anomalies.reference_images", "anomalies.percentile", "anomalies.neighbors", "anomalies.seed",
    "anomalies.batch_size",
}  # fmt: skip


def test_no_setting_is_left_out() -> None:
    assert TRAIN.keys() | CONDITIONAL.keys() | CUT_OFFS.keys() | ELSEWHERE == FIELDS.keys()


class Reference:
    """Trains with given settings in a workspace of its own, and tells what that left."""

    def __init__(self, root: Path, folders: Mapping[str, Path], values: Mapping[str, Any]) -> None:
        self.root = root
        self.folders = folders
        self.values = values
        self.accounts: dict[str, dict[str, Any]] = {}

    def settings(self, **values: Any) -> Settings:
        named = {key: str(self.folders[value]) if value in self.folders else value for key, value in values.items()}
        return from_layers(("", self.values), ("", BASE), ("", named))

    def account(self, settings: Settings) -> dict[str, Any]:
        key = settings.model_dump_json()
        if key not in self.accounts:
            self.accounts[key] = self._train(settings, Workspace(self.root / str(len(self.accounts))).create())
        return self.accounts[key]

    def workspace_of(self, settings: Settings) -> Workspace:
        self.account(settings)
        return Workspace(self.root / str(list(self.accounts).index(settings.model_dump_json())))

    def _train(self, settings: Settings, workspace: Workspace) -> dict[str, Any]:
        report = CollectedReport()
        with Records(workspace) as records:
            train(settings, workspace, records, report, run=records.add_run("run", settings.model.variant))
        state = find_checkpoint(workspace, "run/last")
        return {
            "weights": fingerprint(state),
            "tags": sorted(tags_of(state.parent)),
            "saves": sum(kind == "checkpoint" for kind, _ in report.artifacts),
            "packs": len(list(workspace.packs.glob("*"))),
            "logs": sorted(path.name for path in workspace.logs.iterdir()),
            "validations": sum(phase == "validating" for phase, *_ in report.progresses),
            "probes": _pixels(workspace.validation / "run"),
            "log": [re.sub(r"[\d.]+ s\b", "", line) for _, line in report.lines if "are free" not in line],
        }


def _pixels(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("probes/*.png")}


@pytest.fixture(scope="module")
def reference(
    tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path], small_values: dict[str, Any]
) -> Reference:
    root = tmp_path_factory.mktemp("settings")
    pictures = draw_pictures(root / "pictures", 24)
    folders = {"OTHER": draw_pictures(root / "other", 20, seed=5), "MIXED": draw_pictures(root / "mixed", 16, seed=6)}
    for path in sorted(folders["MIXED"].iterdir()):
        with Image.open(path) as picture:
            picture.save(path.with_suffix(".jpg"), quality=40)
    Image.linear_gradient("L").resize((90, 40)).save(folders["MIXED"] / "wide.png")
    return Reference(root, folders, small_values | {"data.folder": str(pictures)})


def test_training_twice_gives_the_same_account(reference: Reference) -> None:
    first = reference.account(reference.settings())
    assert reference.account(reference.settings(**{"device.workers": 1})) == first


@pytest.mark.parametrize("key", sorted(TRAIN))
def test_training_differs(reference: Reference, key: str) -> None:
    changed = reference.account(reference.settings(**{key: TRAIN[key]}))
    assert changed != reference.account(reference.settings())


@pytest.mark.parametrize("key", sorted(CONDITIONAL))
def test_training_differs_where_the_setting_matters(reference: Reference, key: str) -> None:
    value, beside = CONDITIONAL[key]
    changed = reference.account(reference.settings(**(beside | {key: value})))
    assert changed != reference.account(reference.settings(**beside))


def test_weights_differ_where_only_the_log_could(reference: Reference) -> None:
    base = reference.account(reference.settings())["weights"]
    for key in ("training.weight_decay", "training.gradient_clip", "training.warmup_steps", "augmentation.brightness"):
        assert reference.account(reference.settings(**{key: TRAIN[key]}))["weights"] != base, key


def test_encoding_differs(reference: Reference) -> None:
    with _trained(reference) as (workspace, records):

        def account(**values: Any) -> tuple[Any, ...]:
            report = CollectedReport()
            settings = reference.settings(**{"encoding.folder": reference.values["data.folder"]} | values)
            result = encode(settings, workspace, records, report, checkpoint="run")
            return result.rows, result.dim, len(report.progresses)

        base = account()
        assert account(**{"encoding.folder": "OTHER"}) != base
        assert account(**{"encoding.batch_size": 3}) != base
        assert account(**{"encoding.pooling": "mean"}) != base
        account(**{"encoding.dtype": "float16"})
        assert records.embeddings()[0]["dtype"] == "float16"


def test_evaluation_differs(reference: Reference) -> None:
    with _trained(reference) as (workspace, records):

        def account(**values: Any) -> tuple[bytes, dict[str, Any]]:
            settings = reference.settings(**{"evaluation.compared_images": 2} | values)
            result = evaluate(settings, workspace, records, CollectedReport(), checkpoint="run")
            return Path(result.figure).read_bytes(), {name: one["psnr"] for name, one in result.baselines.items()}

        base = account()
        assert account(**{"evaluation.compared_images": 3})[0] != base[0]
        assert account(**{"evaluation.seed": 1})[0] != base[0]
        few = account(**{"evaluation.baseline_images": 4})[1]
        assert few.keys() == base[1].keys()
        assert few != base[1]
        assert account(**{"evaluation.baseline_images": 4, "evaluation.seed": 1})[1] != few
        assert account(**{"evaluation.baseline_images": 0})[1] == {}
        latent = workspace.validation / "run" / "validation" / "latent-psnr.png"
        account(**{"evaluation.feature_images": 9, "evaluation.baseline_images": 0})
        assert latent.is_file()
        account(**{"evaluation.feature_images": 9, "evaluation.color_by": "mae", "evaluation.baseline_images": 0})
        assert latent.with_name("latent-mae.png").is_file()
        account(**{"evaluation.feature_images": 0, "evaluation.baseline_images": 0})
        assert not list(latent.parent.glob("latent-*"))


def test_the_search_for_anomalies_differs(reference: Reference) -> None:
    with _trained(reference) as (workspace, records):

        def account(**values: Any) -> tuple[Any, ...]:
            report = CollectedReport()
            settings = reference.settings(**values)
            folder = str(reference.folders["OTHER"])
            result = find_anomalies(settings, workspace, records, report, checkpoint="run", folder=folder)
            return result.reference_images, dict(result.thresholds), len(report.progresses)

        base = account()
        assert account(**{"anomalies.percentile": 50})[1] != base[1]
        assert account(**{"anomalies.neighbors": 1, "anomalies.batch_size": 3})[2] > base[2]
        assert account(**{"anomalies.neighbors": 1})[1] != base[1]
        sampled = account(**{"anomalies.reference_images": 10})
        assert sampled[0] == 10 < base[0]
        assert account(**{"anomalies.reference_images": 10, "anomalies.seed": 1})[1] != sampled[1]


def test_analysis_differs(reference: Reference) -> None:
    with _trained(reference) as (workspace, records):

        def account(**values: Any) -> str:
            target = workspace.root / "table.csv"
            settings = reference.settings(**values)
            analyze(settings, workspace, records, CollectedReport(), csv=str(target))
            return target.read_text()

        base = account()
        assert account(**{"analysis.folder": "OTHER"}) != base
        assert account(**{"analysis.metrics": "color"}) != base
        sampled = account(**{"analysis.sample_fraction": 0.5})
        assert sampled != base
        assert account(**{"analysis.sample_fraction": 0.5, "analysis.sample_seed": 3}) != sampled


def test_what_is_found_differs(reference: Reference) -> None:
    with _trained(reference) as (workspace, records):
        settings = reference.settings(**{"analysis.folder": "MIXED"})
        findings = analyze(settings, workspace, records, CollectedReport()).findings
        dataset = records.find_dataset(reference.folders["MIXED"])
        assert dataset is not None
        for key, value in CUT_OFFS.items():
            assert judge(records, dataset, settings.with_values({key: value})) != findings, key
        assert judge(records, dataset, settings) == findings


def test_workers_are_as_set() -> None:
    assert worker_count(3) == 3
    assert worker_count(0) >= 1


@contextmanager
def _trained(reference: Reference) -> Iterator[tuple[Workspace, Records]]:
    workspace = reference.workspace_of(reference.settings())
    with Records(workspace) as records:
        yield workspace, records
