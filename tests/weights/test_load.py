from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segtune import processor
from segtune.errors import WeightsError
from segtune.weights import load_weights

processor.prepare()
import paddle  # noqa: E402  (after prepare, which sets what Paddle reads at import)


class Network(paddle.nn.Layer):  # type: ignore[misc]
    def __init__(self, width: int = 4, num_classes: int = 3) -> None:
        super().__init__()
        self.backbone = paddle.nn.Sequential(
            paddle.nn.Conv2D(3, width, 1), paddle.nn.BatchNorm2D(width)
        )
        self.head = paddle.nn.Linear(width, num_classes)


def arrays_of(network: Network, value: float = 7.0) -> dict[str, NDArray[Any]]:
    """Every tensor of a network, filled with one value."""
    return {
        name: np.full(tensor.shape, value, np.float32)
        for name, tensor in network.state_dict().items()
    }


def values_of(network: Network) -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def test_weights_of_the_same_network_are_taken_whole() -> None:
    network = Network()

    report = load_weights(network, arrays_of(network), strict=True)

    assert set(report.taken) == set(network.state_dict())
    assert report.reinitialised == report.missing == report.unexpected == ()
    assert all((values == 7).all() for values in values_of(network).values())


@pytest.mark.parametrize("prefix", ["backbone.", ""])
def test_a_backbone_finds_its_place_with_or_without_its_prefix(prefix: str) -> None:
    network = Network()
    backbone = {
        name.replace("backbone.", prefix): array
        for name, array in arrays_of(network).items()
        if name.startswith("backbone.")
    }

    report = load_weights(network, backbone)

    assert len(report.taken) == 6
    assert report.missing == ("head.weight", "head.bias")
    assert (values_of(network)["backbone.0.weight"] == 7).all()


def test_stage_five_is_found_in_the_head_that_holds_it() -> None:
    network = paddle.nn.Layer()
    network.bbox_head = paddle.nn.Layer()
    network.bbox_head.res5 = paddle.nn.Linear(1, 1)

    report = load_weights(network, {"backbone.res5.weight": np.full((1, 1), 7.0)})

    assert report.taken == ("bbox_head.res5.weight",)
    assert report.unexpected == ()
    assert network.bbox_head.res5.weight.item() == 7


def test_the_longest_matching_name_wins() -> None:
    network = Network()
    weights = {"weight": np.zeros((4, 3)), "head.weight": np.ones((4, 3))}

    with pytest.raises(WeightsError, match=r"weight fits both backbone.0.weight and"):
        load_weights(network, weights)
    report = load_weights(network.head, weights | {"head.bias": np.ones(3)})

    assert report.taken == ("weight",)
    assert report.missing == ("bias",)
    assert report.unexpected == ("head.weight", "head.bias")


def test_another_class_count_leaves_the_class_head_as_it_was() -> None:
    network = Network(num_classes=3)
    before = values_of(network)["head.weight"]

    report = load_weights(network, arrays_of(Network(num_classes=80)) | {"extra": np.zeros(1)})

    assert [str(tensor) for tensor in report.reinitialised] == [
        "head.weight [4, 80] -> [4, 3]",
        "head.bias [80] -> [3]",
    ]
    np.testing.assert_array_equal(values_of(network)["head.weight"], before)
    assert report.summary() == [
        "weights: 6 tensors taken, 2 re-initialised (another shape), 0 missing, 1 unexpected",
        "  re-initialised: head.weight [4, 80] -> [4, 3], head.bias [80] -> [3]",
        "  unexpected in the file: extra",
    ]


def test_evaluation_refuses_weights_that_leave_tensors_random() -> None:
    network = Network(num_classes=3)
    lacking = arrays_of(network)
    del lacking["backbone.1._mean"]

    for weights, name in [
        (lacking, "1 tensors .* backbone.1._mean"),
        (arrays_of(Network(num_classes=80)), "2 tensors .* head.weight"),
    ]:
        with pytest.raises(WeightsError, match=name):
            load_weights(network, weights, strict=True)

    assert not (values_of(network)["backbone.0.weight"] == 7).any()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param(
            {"head.weight": np.zeros((9, 9)), "head.bias": np.zeros(9)},
            "made for another network: 2 of 2",
            id="another shape",
        ),
        pytest.param({"elsewhere": np.zeros(2)}, "no tensor of the file", id="other names"),
        pytest.param({}, "no tensor of the file", id="nothing"),
    ],
)
def test_weights_of_another_network_change_nothing(
    weights: dict[str, NDArray[Any]], message: str
) -> None:
    network = Network()
    before = values_of(network)

    with pytest.raises(WeightsError, match=message):
        load_weights(network, weights)

    for name, values in values_of(network).items():
        np.testing.assert_array_equal(values, before[name])


def test_values_are_cast_to_the_type_of_the_network(tmp_path: Path) -> None:
    path = tmp_path / "half.pdparams"
    state = {name: paddle.to_tensor(a) for name, a in arrays_of(Network(), 1.5).items()}
    paddle.save({name: tensor.astype("bfloat16") for name, tensor in state.items()}, str(path))
    plain, brain = Network(), Network().bfloat16()

    load_weights(plain, path, strict=True)
    load_weights(brain, path, strict=True)

    assert plain.head.weight.dtype == paddle.float32
    assert (plain.head.weight == 1.5).all()
    assert brain.head.weight.dtype == paddle.bfloat16
    assert (brain.head.weight.astype("float32") == 1.5).all()
