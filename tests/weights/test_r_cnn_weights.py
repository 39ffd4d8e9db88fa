"""Which tensors of the nine R-CNNs find which tensors of a file, by the names and shapes alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune import processor
from segtune.weights import LoadReport, load_weights
from segtune.zoo import MODELS

processor.prepare()
from tests.parity.stored import read_manifest  # noqa: E402  (imports Paddle, so after prepare)

Arrays = dict[str, NDArray[Any]]
NAMES = [spec.name for spec in MODELS if spec.family == "Mask R-CNN"]
C4, FPN = "MaskRCNN-ResNet50", "MaskRCNN-ResNet50-FPN"
CLASS_AXES = {81: (1, 1), 320: (4, 0), 80: (1, 0)}  # side with 80 classes: factor, background
MASK_HEAD = ["mask_head.mask_fcn_logits"]
BOX_HEAD = ["bbox_head.bbox_score", "bbox_head.bbox_delta"]
CASCADE_BOX_HEAD = [f"bbox_head.bbox_score_stage{stage}" for stage in range(3)]


class Shapes:
    """Stands for a network that has nothing but the shapes of its tensors."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def state_dict(self) -> Arrays:
        return self._arrays


@pytest.fixture
def assigned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tensors that were given values; nothing is copied, as it would be gigabytes."""
    tensors: list[Any] = []
    monkeypatch.setattr("segtune.weights.load._assign", lambda tensor, _: tensors.append(tensor))
    return tensors


def arrays_of(name: str, num_classes: int = 80) -> Arrays:
    """Return the tensors of a model, none of which takes up memory."""
    return {
        key: np.broadcast_to(np.float32(0), [_side(side, num_classes) for side in shape])
        for key, (shape, _) in read_manifest(name).items()
    }


def _side(side: int, num_classes: int) -> int:
    """Return what a side of a tensor is with another number of classes."""
    factor, background = CLASS_AXES.get(side, (0, side))
    return factor * num_classes + background


def backbone_of(name: str, prefix: str) -> Arrays:
    """Return the backbone of a model, its names begun in another way."""
    return {
        prefix + key.removeprefix("backbone."): array
        for key, array in arrays_of(name).items()
        if key.startswith("backbone.")
    }


def load(into: str, weights: Arrays, num_classes: int = 80) -> LoadReport:
    network: Any = Shapes(arrays_of(into, num_classes))
    return load_weights(network, weights)


def reinitialised(report: LoadReport) -> list[str]:
    return [tensor.name for tensor in report.reinitialised]


@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_another_class_count_leaves_these_tensors_as_they_were_and_takes_all_others(
    assigned: list[Any], name: str, num_classes: int
) -> None:
    report = load(name, arrays_of(name), num_classes)

    heads = CASCADE_BOX_HEAD if name.startswith("Cascade") else BOX_HEAD
    expected = [f"{head}.{kind}" for head in heads + MASK_HEAD for kind in ("weight", "bias")]
    assert sorted(reinitialised(report)) == sorted(expected)
    assert all(tensor.is_class_count for tensor in report.reinitialised)
    assert report.missing == report.unexpected == ()
    assert len(report.taken) == len(assigned) == len(read_manifest(name)) - len(expected)


@pytest.mark.parametrize("name", NAMES)
def test_eighty_classes_take_the_heads_as_well(assigned: list[Any], name: str) -> None:
    report = load(name, arrays_of(name))

    assert report.reinitialised == report.missing == report.unexpected == ()
    assert len(report.taken) == len(assigned) == len(read_manifest(name))


@pytest.mark.parametrize("prefix", ["", "backbone."])
@pytest.mark.parametrize("name", [name for name in NAMES if name != C4])
@pytest.mark.usefixtures("assigned")
def test_a_classifiers_backbone_is_taken_whole_and_its_last_layer_is_not(
    name: str, prefix: str
) -> None:
    classifier = backbone_of(name, prefix) | {
        "fc.weight": np.broadcast_to(np.float32(0), [2048, 1000]),
        "fc.bias": np.broadcast_to(np.float32(0), [1000]),
    }

    report = load(name, classifier, num_classes=3)

    assert set(report.taken) == set(backbone_of(name, "backbone."))
    assert report.reinitialised == ()
    assert report.unexpected == ("fc.weight", "fc.bias")
    assert not [key for key in report.missing if key.startswith("backbone.")]


@pytest.mark.parametrize("prefix", ["", "backbone."])
@pytest.mark.usefixtures("assigned")
def test_a_classifiers_last_stage_fills_the_box_head_of_the_model_without_fpn(prefix: str) -> None:
    report = load(C4, backbone_of(FPN, prefix), num_classes=3)

    held = {key for key in read_manifest(C4) if key.startswith(("backbone.", "bbox_head.head."))}
    assert any(key.startswith("bbox_head.head.res5.res5c.") for key in held)
    assert set(report.taken) == held
    assert report.reinitialised == report.unexpected == ()


@pytest.mark.usefixtures("assigned")
def test_the_model_without_fpn_takes_what_fits_of_one_with_it() -> None:
    report = load(C4, arrays_of(FPN), num_classes=3)

    assert sum(key.startswith("bbox_head.head.res5.") for key in report.taken) == 50
    assert all(key.startswith(("neck.", "bbox_head.", "mask_head.")) for key in report.unexpected)
    assert {key.split(".")[0] for key in reinitialised(report)} == {
        "rpn_head",
        "bbox_head",
        "mask_head",
    }
    assert report.missing == ()
