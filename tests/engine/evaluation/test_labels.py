"""Labels from folders: which folder counts, and which labels can be compared."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.labels import MOST_LABELS, folder_labels, participants


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (["cats/1.png", "dogs/2.png"], ["cats", "dogs"]),
        (["1.png", "2.png"], ["", ""]),
        (["all/1.png", "all/2.png"], ["", ""]),
        (["1.png", "cats/1.png", "dogs/2.png"], ["", "cats", "dogs"]),
        (["a/b/cats/1.png", "a/b/dogs/2.png"], ["cats", "dogs"]),
        (["cats/young/1.png", "cats/old/2.png", "dogs/old/3.png"], ["cats/young", "cats/old", "dogs/old"]),
        (["train/cats/1.png", "val/cats/2.png", "val/dogs/3.png"], ["cats", "cats", "dogs"]),
        (["set/Train/x/cats/1.png", "set/test/x/dogs/2.png"], ["cats", "dogs"]),
        (["train/1.png", "val/2.png"], ["", ""]),
        (["train/1.png", "bus/2.png", "bus/3.png"], ["train", "bus", "bus"]),
        (["/data/cats/1.png", "/data/dogs/2.png"], ["cats", "dogs"]),
        (["c\nats/1.png", "\udcff/2.png", "$x$/3.png"], ["c\nats", "\udcff", "$x$"]),
        ([], []),
    ],
)
def test_the_folder_that_holds_an_image_is_its_label(paths: list[str], labels: list[str]) -> None:
    assert folder_labels(paths) == labels


@given(st.lists(st.lists(st.sampled_from(["a", "b", "train", "val"]), max_size=3), max_size=8))
def test_images_of_one_folder_have_one_label(folders: list[list[str]]) -> None:
    labels = folder_labels(["/".join([*parts, f"{number}.png"]) for number, parts in enumerate(folders)])
    assert len(labels) == len(folders)
    by_folder = {tuple(parts): label for parts, label in zip(folders, labels, strict=True)}
    assert all(by_folder[tuple(parts)] == label for parts, label in zip(folders, labels, strict=True))
    assert all("/".join(parts).endswith(label) for parts, label in zip(folders, labels, strict=True))


def test_labels_of_one_image_and_images_without_one_take_no_part() -> None:
    labels = participants(["b", "a", "", "a", "c", "b", ""])
    assert labels.names == ("a", "b")
    assert labels.numbers.tolist() == [1, 0, -1, 0, -1, 1, -1]
    assert labels.left_out == {"": 2, "c": 1}


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "a", "a"], ["a", "b", "c"], ["", ""], ["a", "a", "b"]])
def test_one_label_cannot_be_compared(labels: list[str]) -> None:
    found = participants(labels)
    assert found.names == ()
    assert (found.numbers == -1).all()
    assert found.left_out == Counter(labels)


def test_with_a_split_a_label_lies_on_both_sides() -> None:
    train = np.array([1, 0, 1, 0, 1, 1, 0, 0], np.bool_)
    labels = participants(["a", "a", "b", "b", "c", "c", "d", "d"], train)
    assert labels.names == ("a", "b")
    assert labels.left_out == {"c": 2, "d": 2}


def test_of_many_labels_the_largest_take_part() -> None:
    names = [f"{number:03d}" for number in range(MOST_LABELS + 20)]
    labels = participants([name for number, name in enumerate(names) for _ in range(2 + (number >= 20))])
    assert labels.names == tuple(names[20:])
    assert set(labels.left_out) == set(names[:20])


@given(st.lists(st.sampled_from("abcdé\udcff") | st.just(""), max_size=30))
def test_every_image_is_accounted_for(labels: list[str]) -> None:
    found = participants(labels)
    told = Counter(found.names[number] for number in found.numbers.tolist() if number >= 0)
    assert told + Counter(found.left_out) == Counter(labels)
    assert len(found.names) != 1
    assert all(count >= 2 for count in told.values())
    assert list(found.names) == sorted(found.names)
