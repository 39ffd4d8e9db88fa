"""What tests of several runtimes share: a bundle of every network, and what counts as the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from segtune.bundle import BundleInfo, write_info
from segtune.categories import Categories
from segtune.export import trace
from segtune.models.mask_rcnn.model import MaskRcnn
from segtune.models.mask_rcnn.proposals import ProposalCounts
from segtune.models.segmenter import InstanceSegmenter
from segtune.runtime.onnx_conversion import convert
from segtune.zoo import build_model, find_spec
from tests.parity.stored import give_stored_weights
from tests.runtime.model_names import NAMES
from tests.runtime.same_rows import SIDE

GAINS = {"Mask-RT-DETR": 0.8, "PP-YOLOE_seg": 0.9, "Mask R-CNN": 0.4}  # of norms, by family


@pytest.fixture(scope="session", params=NAMES)
def converted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[InstanceSegmenter, Path]:
    """A network and its bundle, which has an ONNX graph."""
    network = build_model(request.param, 3)
    give_stored_weights(network, GAINS[find_spec(request.param).family])
    if isinstance(network, MaskRcnn):
        network.counts_in_prediction = ProposalCounts(1000, 50)  # C4 takes a second for ten
    network.eval()
    folder = tmp_path_factory.mktemp("bundle")
    spec = replace(find_spec(request.param).preprocess, size_hw=(SIDE, SIDE))
    trace(network, spec, folder)
    convert(folder)
    write_info(folder, BundleInfo(request.param, Categories([(1, "a"), (2, "b"), (3, "c")]), spec))
    return network, folder
