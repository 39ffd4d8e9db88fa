from __future__ import annotations

import numpy as np
import pytest

from segtune.devices import Device
from segtune.errors import DeviceError
from segtune.runtime.dygraph import DygraphBackend
from tests.boxed_rows import BoxedRows
from tests.fixed_rows import FixedRows, full_sizes

IMAGES = np.zeros((2, 3, 32, 32), np.float32)


def test_outputs_are_arrays_of_all_images() -> None:
    outputs = DygraphBackend(FixedRows([[1, 2, 3, 4]], []), Device("cpu")).run(
        IMAGES, full_sizes(IMAGES)
    )

    assert all(isinstance(array, np.ndarray) for array in outputs)
    assert outputs.boxes.tolist() == [[1, 2, 3, 4]]
    assert outputs.counts.tolist() == [1, 0]


def test_the_network_is_told_how_much_of_its_inputs_the_images_take() -> None:
    network = BoxedRows([[0.0, 0, 0.5, 1]])
    sizes_hw = np.asarray([[16, 32], [32, 24]], np.float32)

    outputs = DygraphBackend(network, Device("cpu")).run(IMAGES + 1, sizes_hw)

    assert outputs.boxes.tolist() == [[0, 0, 16, 16], [0, 0, 12, 32]]


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_in_its_mode(training: bool) -> None:
    network = FixedRows([[1, 2, 3, 4]])
    if training:
        network.train()
    else:
        network.eval()

    DygraphBackend(network, Device("cpu")).run(IMAGES, full_sizes(IMAGES))

    assert network.training is training


def test_an_absent_device_is_an_error_that_names_those_present() -> None:
    with pytest.raises(DeviceError, match="cpu"):
        DygraphBackend(FixedRows([]), Device("npu", 7))
