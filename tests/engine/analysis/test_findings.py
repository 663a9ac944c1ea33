"""What is found in a folder of photographs with one file or more of every kind among them."""

import shutil
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from engine.analysis import analyze
from engine.analysis.findings import ADJUSTABLE, CUTS, KINDS, Cut, judge, judge_kind, robust_scores
from engine.images.decode import load_image
from engine.images.hashing import perceptual_hash
from engine.records import Records, Row
from engine.records.schema import columns_of
from engine.report import CollectedReport
from engine.settings import METRIC_GROUPS, Settings, from_layers
from engine.workspace import Workspace
from tests.engine.analysis.photographs import photograph

CLEAN = 60
PLANTED = {
    "words.png": "unreadable",
    "cut.jpg": "truncated",
    "portable.jpg": "wrong_extension",
    "seen.png": "leakage",
    "seen_anew.jpg": "leakage",
    "same.bmp": "duplicate",
    "same_copy.jpg": "duplicate",
    "saved_anew.jpg": "near_duplicate",
    "x_halved.webp": "near_duplicate",
    "night.png": "dark",
    "snow.png": "light",
    "fog.png": "low_information",
    "shaken.png": "blurry",
    "shaken_more.jpg": "blurry",
    "panorama.png": "odd_aspect",
    "tower.png": "odd_aspect",
    "vast.png": "odd_size",
    "tiny.png": "odd_size",
    "garish.png": "outlier",
    "gray_in_color.png": "gray_as_color",
    "glass.png": "alpha",
    "glass_palette.png": "alpha",
    "inks.jpg": "unusual_mode",
    "palette.png": "unusual_mode",
    "deep.png": "unusual_mode",
    "fax.png": "unusual_mode",
}
OUTLYING = [
    column
    for group in METRIC_GROUPS
    for column in columns_of(group)
    if column not in {"height", "width", "min", "max", "mean_gray", "normalized_entropy"}
    and not column.endswith("_pct")
]
NOT_TO_BE_FOUND = {("gray.png", "gray_as_color"), ("fog.png", "blurry"), ("palette.png", "gray_as_color")}
"""A gray picture that is stored as one, a picture of nothing that is told as that."""


def draw(folder: Path, held_out: Path) -> None:
    """Write the clean photographs, what is planted, and a validation folder that shares two pictures with them."""
    for number in range(CLEAN):
        size = (96, 72) if number % 3 else (72, 96)
        photograph(number, *size).save(folder / f"photo_{number:02d}.{('jpg', 'png', 'webp')[number % 3]}")
    for number in range(100, 110):
        photograph(number).save(held_out / f"held_{number}.png")
    (folder / "words.png").write_text("no picture")
    whole = (folder / "photo_03.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    shutil.copy(folder / "photo_01.png", folder / "portable.jpg")
    shutil.copy(held_out / "held_103.png", folder / "seen.png")
    photograph(104).save(folder / "seen_anew.jpg", quality=60)
    with Image.open(folder / "photo_04.png") as original:
        original.save(folder / "same.bmp")
    shutil.copy(folder / "photo_06.jpg", folder / "same_copy.jpg")
    with Image.open(folder / "photo_07.png") as original:
        original.save(folder / "saved_anew.jpg", quality=40)
        original.resize((48, 36), Image.Resampling.LANCZOS).save(folder / "x_halved.webp", lossless=True)
    photograph(201).point(lambda level: level // 16).save(folder / "night.png")
    photograph(202).point(lambda level: 255 - level // 20).save(folder / "snow.png")
    fog = np.full((72, 96, 3), 170, np.uint8)
    fog[10:12] = 171
    Image.fromarray(fog).save(folder / "fog.png")
    photograph(203).filter(ImageFilter.GaussianBlur(2)).save(folder / "shaken.png")
    photograph(204).filter(ImageFilter.GaussianBlur(3)).save(folder / "shaken_more.jpg", quality=90)
    photograph(205, 180, 50).save(folder / "panorama.png")
    photograph(206, 40, 130).save(folder / "tower.png")
    photograph(207, 320, 240).save(folder / "vast.png")
    photograph(208, 28, 22).save(folder / "tiny.png")
    vivid = np.asarray(photograph(209)).astype(int) // 4
    vivid[::6, :, 0], vivid[3::6, :, 1] = 255, 255
    vivid[..., 2] = 0
    Image.fromarray(np.where(vivid.max(2, keepdims=True) == vivid, 255, 0).astype(np.uint8)).save(folder / "garish.png")
    photograph(210).convert("L").save(folder / "gray.png")
    photograph(211).convert("L").convert("RGB").save(folder / "gray_in_color.png")
    glass = photograph(212)
    glass.putalpha(Image.linear_gradient("L").resize(glass.size))
    glass.save(folder / "glass.png")
    palette = photograph(213).quantize(64)
    palette.save(folder / "glass_palette.png", transparency=3)
    photograph(214).quantize(200).save(folder / "palette.png")
    photograph(215).convert("CMYK").save(folder / "inks.jpg")
    Image.fromarray(np.asarray(photograph(216).convert("L")).astype(np.uint16) * 257).save(folder / "deep.png")
    photograph(217).convert("1").save(folder / "fax.png")


@dataclass(frozen=True)
class Told:
    """What an analysis told, and its records; the files are gone since."""

    records: Records
    dataset: int
    settings: Settings
    counts: Mapping[str, int]
    rows: tuple[Row, ...]
    bits: Mapping[tuple[str, str], int]

    @property
    def pairs(self) -> set[tuple[str, str]]:
        return {(row["path"], row["kind"]) for row in self.rows}

    def row(self, path: str, kind: str) -> Row:
        [row] = [row for row in self.rows if (row["path"], row["kind"]) == (path, kind)]
        return row

    def judged(self, kind: str, value: float | None = None) -> set[str]:
        """Return the paths of a kind, with its cut-off moved to a value."""
        moved = {} if value is None else {ADJUSTABLE[kind]: value}
        judge_kind(self.records, self.dataset, self.settings.with_values(moved), kind)
        return {row["path"] for row in self.records.findings(self.dataset, kind)}

    def values(self, column: str) -> dict[str, float]:
        numbers, values = self.records.metric_values(self.dataset, column)
        paths = self.records.paths(numbers.tolist())
        return {paths[number]: value for number, value in zip(numbers.tolist(), values.tolist(), strict=True)}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    root = tmp_path_factory.mktemp("findings")
    folder, held_out = root / "images", root / "held_out"
    folder.mkdir()
    held_out.mkdir()
    draw(folder, held_out)
    values = {"data.image_height": 64, "data.image_width": 64, "data.validation_folder": str(held_out)}
    settings = from_layers(("", values))
    with Records(Workspace(root / "workspace").create()) as records:
        result = analyze(settings, records.workspace, records, CollectedReport(), folder=str(folder))
        dataset = records.find_dataset(folder)
        assert dataset is not None
        rows = tuple(records.findings(dataset))
        bits = {}
        for row in rows:
            if row["kind"] in {"near_duplicate", "leakage"}:
                other = (held_out if row["kind"] == "leakage" else folder) / row["other"]
                one, two = (perceptual_hash(load_image(path, 64, 64, False)) for path in (folder / row["path"], other))
                bits[row["path"], row["kind"]] = (one ^ two).bit_count()
        shutil.rmtree(folder)
        shutil.rmtree(held_out)
        yield Told(records, dataset, settings, result.findings, rows, bits)


def test_every_kind_is_planted_and_every_planted_file_is_found(told: Told) -> None:
    assert set(PLANTED.values()) == set(KINDS)
    assert set(PLANTED.items()) <= told.pairs
    assert not NOT_TO_BE_FOUND & told.pairs


def test_no_clean_photograph_is_claimed_by_anything(told: Told) -> None:
    assert {path for path, _ in told.pairs} <= {*PLANTED, "gray.png"}
    assert not [pair for pair in told.pairs if pair[0] == "gray.png"]


def test_the_result_counts_what_is_in_the_records(told: Told) -> None:
    counts = {kind: sum(row["kind"] == kind for row in told.rows) for kind in KINDS}
    assert told.counts == {kind: count for kind, count in counts.items() if count}


def test_findings_name_the_file_they_are_like(told: Told) -> None:
    others = {
        ("same.bmp", "duplicate"): "photo_04.png",
        ("same_copy.jpg", "duplicate"): "photo_06.jpg",
        ("saved_anew.jpg", "near_duplicate"): "photo_07.png",
        ("seen.png", "leakage"): "held_103.png",
        ("seen_anew.jpg", "leakage"): "held_104.png",
    }
    assert {pair: told.row(*pair)["other"] for pair in others} == others
    assert told.row("x_halved.webp", "near_duplicate")["other"] in {"photo_07.png", "saved_anew.jpg"}
    like = {row["kind"] for row in told.rows if row["other"]}
    assert like == {"duplicate", "near_duplicate", "leakage"}


def test_findings_tell_by_how_many_bits_pictures_differ(told: Told) -> None:
    assert len(told.bits) >= 4
    for (path, kind), bits in told.bits.items():
        row = told.row(path, kind)
        assert row["value"] == bits <= 3
        exact = "the same pixels" if path == "seen.png" else f"{bits} of 64 bits apart" if bits else "to the last bit"
        assert exact in row["detail"]
    assert told.row("same.bmp", "duplicate")["value"] == 0


@pytest.mark.parametrize("cut", CUTS, ids=[cut.kind for cut in CUTS])
def test_a_cut_off_can_be_moved_without_the_files(told: Told, cut: Cut) -> None:
    values, entropy = told.values(cut.column), told.values("entropy_bits")
    assert told.judged(cut.kind) == {path for path, kind in told.pairs if kind == cut.kind}
    limits = {"aspect_above": (1.0, 1.32, 1e4), "information_below": (0, 7.3, 8), "blur_below": (0, 0.63, 1)}
    sizes = []
    for limit in limits.get(cut.field, (0.0, 125.0, 255.0)):
        expected = {path for path, value in values.items() if (value < limit if cut.side == "<" else value > limit)}
        if cut.kind == "blurry":
            expected = {path for path in expected if entropy[path] >= 1}
        assert told.judged(cut.kind, limit) == expected
        sizes.append(len(expected))
    assert len(set(sizes)) == 3


def test_moving_one_cut_off_leaves_all_other_kinds_as_they_are(told: Told) -> None:
    judge(told.records, told.dataset, told.settings)
    before = told.records.count_findings(told.dataset)
    for kind, extreme in {"dark": 255.0, "odd_size": 1.01, "outlier": 1000.0, "near_duplicate": 0}.items():
        told.judged(kind, extreme)
        after = told.records.count_findings(told.dataset)
        assert {name for name in KINDS if after.get(name) != before.get(name)} == {kind}
        told.judged(kind)
    assert told.records.count_findings(told.dataset) == before


def test_sizes_are_told_by_how_many_times_the_median_they_are(told: Told) -> None:
    sizes = told.values("megapixels")
    median = statistics.median(sizes.values())
    for factor in (1.01, 3.0, 10.0, 1e6):
        odd = {path for path, size in sizes.items() if size * factor < median or size > factor * median}
        assert told.judged("odd_size", factor) == odd
    assert told.row("vast.png", "odd_size")["value"] == pytest.approx(320 * 240 / (96 * 72))
    assert told.row("tiny.png", "odd_size")["value"] == pytest.approx(96 * 72 / (28 * 22))


def test_outliers_are_those_beyond_the_limit_in_any_metric(told: Told) -> None:
    for limit in (3.0, 5.0, 10.0, 1000.0):
        expected = set()
        for column in OUTLYING:
            values = told.values(column)
            scores = robust_scores(column, np.array(list(values.values())))
            expected |= {path for path, score in zip(values, scores, strict=True) if abs(score) > limit}
        assert told.judged("outlier", limit) == expected
    assert not expected


@pytest.mark.parametrize("distance", [0, 1, 3, 10])
def test_near_duplicates_are_those_within_the_distance(told: Told, distance: int) -> None:
    assert told.judged("near_duplicate", distance) >= {
        path for (path, kind), bits in told.bits.items() if kind == "near_duplicate" and bits <= distance
    }
    rows = told.records.findings(told.dataset, "near_duplicate")
    assert all(row["value"] <= distance for row in rows)


def test_a_kind_that_the_records_alone_do_not_decide_is_refused(told: Told) -> None:
    for kind in ("leakage", "truncated", "nonsense"):
        with pytest.raises(KeyError):
            judge_kind(told.records, told.dataset, told.settings, kind)


def test_few_images_have_no_outliers(records: Records, tmp_path: Path) -> None:
    dataset = records.dataset(tmp_path)
    for count in (29, 30):
        rows = [{"path": f"{number}.png", "bytes": 1, "modified_ns": 1, "mode": "RGB", "bits": 8, "width": 9,
                 "height": 9} for number in range(count)]  # fmt: skip
        numbers = records.put_images(dataset, rows).values()
        saturation = [{"image": number, "colorfulness": 9.0, "low_sat_pct": 0.0, "high_sat_pct": 100.0,
                       "mean_saturation": 0.1 if place else 0.9} for place, number in enumerate(numbers)]  # fmt: skip
        records.put_image_metrics("color", saturation)
        judge_kind(records, dataset, Settings(), "outlier")
        assert records.count_findings(dataset) == ({"outlier": 1} if count == 30 else {})
    [row] = records.findings(dataset)
    assert row["path"] == "0.png"
    assert row["detail"].startswith("mean saturation 0.9, ")
    assert "above the median 0.1" in row["detail"]


# --- Robust scores ----------------------------------------------------------------------------------------------

samples = st.lists(st.floats(-255, 255), min_size=1, max_size=40)
RANGES = {"mean": 255, "entropy_bits": 8, "noise_ratio": 1, "std": 127.5}


@given(samples, st.sampled_from(sorted(RANGES)))
def test_robust_scores_are_deviations_from_the_median_in_those_of_their_side(values: list[float], column: str) -> None:
    median = statistics.median(values)
    above = statistics.median(value - median for value in values if value >= median)
    below = statistics.median(median - value for value in values if value <= median)
    floor = 0.6745 * RANGES[column] / 20
    expected = [
        0.6745 * (value - median) / max(floor, above if value > median else below)
        for value in values
    ]  # fmt: skip
    assert robust_scores(column, np.array(values)) == pytest.approx(expected, abs=1e-9)


@given(samples, st.sampled_from([column for column in OUTLYING if column not in {"var_laplacian", "tenengrad"}]))
def test_robust_scores_of_negated_values_are_negated(values: list[float], column: str) -> None:
    scores = robust_scores(column, np.array(values))
    assert robust_scores(column, -np.array(values)).tolist() == (-scores).tolist()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.sampled_from(["var_laplacian", "tenengrad"]))
def test_variances_and_energies_are_scored_by_their_logarithm(values: list[float], column: str) -> None:
    scores = robust_scores(column, np.array(values))
    logs = np.log1p(np.array(values))
    plain = robust_scores("noise_ratio", logs / 12)
    assert scores == pytest.approx(plain, abs=1e-6)


def test_groups_that_are_not_measured_leave_their_kinds_out(tmp_path: Path, records: Records) -> None:
    for number in range(3):
        photograph(number).point(lambda level: level // 20).save(tmp_path / f"{number}.png")
    settings = from_layers(("", {"analysis.metrics": "color"}))
    result = analyze(settings, records.workspace, records, CollectedReport(), folder=str(tmp_path))
    assert result.findings == {}


def test_pictures_that_differ_in_their_transparency_alone_are_no_duplicates(tmp_path: Path, records: Records) -> None:
    for number in range(3):
        icon = Image.new("RGBA", (40, 40), "black")
        icon.putalpha(photograph(number, 40, 40).convert("L"))
        icon.save(tmp_path / f"{number}.png")
    shutil.copy(tmp_path / "2.png", tmp_path / "3.png")
    settings = from_layers(("", {"analysis.metrics": "exposure"}))
    analyze(settings, records.workspace, records, CollectedReport(), folder=str(tmp_path))
    dataset = records.find_dataset(tmp_path)
    assert dataset is not None
    assert [(row["path"], row["other"]) for row in records.findings(dataset, "duplicate")] == [("3.png", "2.png")]
