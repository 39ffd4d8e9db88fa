from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest
import yaml
from numpy.typing import NDArray

from segtune.agreement import AFTER_MASK_BOXES, STRICT, compare
from segtune.bundle import BundleInfo
from segtune.categories import Categories
from segtune.devices import Device
from segtune.export import export_network
from segtune.images import read_image, write_image
from segtune.instances import Instances
from segtune.masks import encode_all
from segtune.models.mask_rcnn.model import MaskRcnn
from segtune.models.mask_rcnn.proposals import ProposalCounts
from segtune.models.segmenter import InstanceSegmenter
from segtune.outputs import MaskFrame
from segtune.pipeline_config import write_pipeline_config
from segtune.predictor import Predictor
from segtune.preprocess import PreprocessSpec
from segtune.runtime.paddle_inference import PaddleInferenceBackend
from segtune.zoo import build_model, find_spec
from tests.parity.stored import give_stored_weights

PYTHON = Path(__file__).parents[2] / ".venv-peers" / "bin" / "python"
CPU = Device("cpu")
RCNN_HW = (160, 267)  # short and long side; their own 800 and 1333 take long, and so
RCNN_COUNTS = ProposalCounts(1000, 40)  # do their own 1000 regions, without a pyramid above all
CATEGORIES = Categories([(1, "no"), (2, "1"), (3, "null"), (4, "猫")])
SIZES_HW = [(612, 612), (600, 480), (300, 400)]  # upstream's own masks are a pixel short on two
YOLO = "PP-YOLOE_seg-S"
NAMES = [
    YOLO,
    "Mask-RT-DETR-S",
    "Mask-RT-DETR-L",
    *(pytest.param(f"Mask-RT-DETR-{size}", marks=pytest.mark.heavy) for size in "MXH"),
    "MaskRCNN-ResNet50",
    "MaskRCNN-ResNet50-FPN",
    "Cascade-MaskRCNN-ResNet50-FPN",
    pytest.param("MaskRCNN-ResNet50-vd-FPN", marks=pytest.mark.heavy),
    pytest.param("MaskRCNN-ResNet50-vd-SSLDv2-FPN", marks=pytest.mark.heavy),
    pytest.param("MaskRCNN-ResNet101-FPN", marks=pytest.mark.heavy),
    pytest.param("MaskRCNN-ResNet101-vd-FPN", marks=pytest.mark.heavy),
    pytest.param("MaskRCNN-ResNeXt101-vd-FPN", marks=pytest.mark.heavy),
    pytest.param("Cascade-MaskRCNN-ResNet50-vd-SSLDv2-FPN", marks=pytest.mark.heavy),
]
# Of norms, for activations in range.
GAINS = {"PP-YOLOE_seg": 0.9, "Mask-RT-DETR": 0.8, "Mask R-CNN": 0.4}
RUN_MODES = [pytest.param(None, id="as it comes"), pytest.param("paddle", id="plain")]

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-peers; `make peers` builds it"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for seed, size_hw in enumerate(SIZES_HW):
        coarse = np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)
        paths.append(folder / f"{size_hw[0]}x{size_hw[1]}.png")
        write_image(paths[-1], PreprocessSpec(size_hw=size_hw).resize(coarse))
    return paths


def random_network(name: str) -> InstanceSegmenter:
    network = build_model(name, len(CATEGORIES))
    give_stored_weights(network, GAINS[find_spec(name).family])
    if isinstance(network, MaskRcnn):
        network.counts_in_prediction = RCNN_COUNTS
    network.eval()
    return network


def spec_of(name: str) -> PreprocessSpec:
    """Return how a model wants its pictures, smaller where it keeps their ratio."""
    spec = find_spec(name).preprocess
    return replace(spec, size_hw=RCNN_HW) if spec.keep_ratio else spec


def export(network: InstanceSegmenter, folder: Path, pictures: list[Path], name: str) -> Path:
    info = BundleInfo(name, CATEGORIES, spec_of(name))
    export_network(network, info, folder, images=pictures, device=CPU)
    return folder


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def bundle(name: str, tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Path:
    folder = tmp_path_factory.mktemp("export") / "bundle"
    return export(random_network(name), folder, pictures, name)


def pipeline_config(path: Path, bundle: Path, run_mode: str | None) -> Path:
    """Return the config that segtune writes, with a run mode added if one is given."""
    write_pipeline_config(path, bundle)
    if run_mode is not None:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["engine_config"] = {"run_mode": run_mode}
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def run_paddlex(config: Path, threshold: float, pictures: list[Path]) -> Path:
    """Return the folder with what PaddleX finds on the pictures."""
    folder = config.parent / "paddlex"
    folder.mkdir()
    from matplotlib import get_data_path  # brings the font that PaddleX would download

    font = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    environment = {
        **os.environ,
        "PADDLE_PDX_LOCAL_FONT_FILE_PATH": str(font),
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
        "PADDLE_PDX_CACHE_HOME": str(config.parent / "cache"),
    }
    script = Path(__file__).with_name("run_paddlex.py")
    run = subprocess.run(
        [PYTHON, script, config, str(threshold), folder, *pictures],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


def read_paddlex(folder: Path, number: int, size_hw: tuple[int, int]) -> Instances:
    """Return what PaddleX found on one picture, its cropped masks pasted back."""
    rows = json.loads((folder / f"{number}.json").read_text(encoding="utf-8"))
    boxes = np.asarray([row["box"] for row in rows], np.float32).reshape(-1, 4)
    bitmaps = np.zeros((len(rows), *size_hw), bool)
    with np.load(folder / f"{number}.npz") as crops:
        for index, (bitmap, box) in enumerate(zip(bitmaps, boxes, strict=True)):
            window_of(bitmap, box)[:] = crops[str(index)] > 0
    return Instances(
        boxes,
        np.asarray([row["score"] for row in rows], np.float32),
        np.asarray([row["label"] for row in rows], np.int64),
        encode_all(bitmaps),
        size_hw,
    )


def window_of(bitmap: NDArray[np.bool_], box: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the part of a bitmap that PaddleX keeps: the box, rounded half to even."""
    x1, y1, x2, y2 = (round(float(side)) for side in box)
    return bitmap[y1:y2, x1:x2]


def cropped(instances: Instances) -> Instances:
    """Return instances with their masks cut as PaddleX cuts them."""
    bitmaps = np.zeros((len(instances), *instances.size_hw), bool)
    for bitmap, mask, box in zip(bitmaps, instances.masks, instances.boxes, strict=True):
        window_of(bitmap, box)[:] = window_of(mask, box)
    return Instances(
        instances.boxes, instances.scores, instances.labels, encode_all(bitmaps), instances.size_hw
    )


def widest_gap(results: list[Instances]) -> float:
    """Return a threshold that leaves a few dozen rows and that no score is near."""
    scores = np.sort(np.concatenate([result.scores for result in results]))[-120:-30]
    place = int(np.argmax(np.diff(scores)))
    return float(scores[place : place + 2].mean())


@pytest.mark.parametrize("run_mode", RUN_MODES)
def test_paddlex_finds_what_segtune_finds(
    name: str, bundle: Path, pictures: list[Path], tmp_path: Path, run_mode: str | None
) -> None:
    frame = find_spec(name).mask_frame
    # A mask inside its box follows every thousandth of a pixel, so both run the same kernels.
    backend = PaddleInferenceBackend(bundle, CPU, onednn=frame is not MaskFrame.BOX)
    predictor = Predictor(backend, spec_of(name), CATEGORIES, frame, name)
    images = [read_image(path) for path in pictures]
    threshold = widest_gap(list(predictor.predict(images, threshold=0.0)))
    ours = list(predictor.predict(images, threshold=threshold))

    config = pipeline_config(tmp_path / "pipeline.yaml", bundle, run_mode)
    folder = run_paddlex(config, threshold, pictures)

    for number, instances in enumerate(ours):
        theirs = read_paddlex(folder, number, instances.size_hw)
        order = np.argsort(-theirs.scores, kind="stable")
        assert len(theirs) == len(instances) > 0
        report = compare(cropped(instances), theirs.select(order))
        limits = AFTER_MASK_BOXES if frame is MaskFrame.INPUT_UNCUT else STRICT
        assert report.is_within(limits), report
        print(f"{name}, {run_mode or 'as it comes'}, picture {number}: {report}")
        assert (folder / f"{number}_drawn.png").exists()


@pytest.mark.parametrize("name", [YOLO], indirect=True)
def test_paddlex_shows_the_class_names_as_they_are(
    bundle: Path, pictures: list[Path], tmp_path: Path
) -> None:
    config = pipeline_config(tmp_path / "pipeline.yaml", bundle, None)

    folder = run_paddlex(config, 0.0, pictures[:1])

    rows = json.loads((folder / "0.json").read_text(encoding="utf-8"))
    assert {(row["label"], row["class_name"]) for row in rows} <= set(enumerate(CATEGORIES.names))
    assert len(rows) > 0


@pytest.mark.parametrize("run_mode", RUN_MODES)
def test_paddlex_passes_over_pictures_that_show_nothing(
    pictures: list[Path], tmp_path: Path, run_mode: str | None
) -> None:
    network = random_network(YOLO)
    for predictor in network.yolo_head.pred_cls:
        predictor.bias.set_value(paddle.full([len(CATEGORIES)], -50.0))
    silent = export(network, tmp_path / "bundle", pictures[:1], YOLO)

    config = pipeline_config(tmp_path / "pipeline.yaml", silent, run_mode)
    folder = run_paddlex(config, 0.0, pictures)

    assert [json.loads((folder / f"{n}.json").read_text()) for n in range(3)] == [[], [], []]
