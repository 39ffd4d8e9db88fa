from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from segtune.data.coco import CocoDataset, read_coco
from segtune.data.collate import Batch
from segtune.data.dataset import TrainingSet
from segtune.data.loader import BatchLoader
from segtune.errors import DatasetError, ImageError
from segtune.preprocess import INTERPOLATION_CODES, PreprocessSpec
from segtune.recipe import AugmentRecipe
from tests.drawing import draw_coco

ROOT = Path(__file__).parents[2]
MULTI_SCALE = AugmentRecipe(sizes=(32, 64, 64, 96), random_interpolation=True)


def _read(root: Path) -> CocoDataset:
    return read_coco(root / "annotations" / "instance_train.json", root / "images")


def _training_set(
    dataset: CocoDataset,
    num_images: int | None = None,
    augment: AugmentRecipe = MULTI_SCALE,
) -> TrainingSet:
    part = CocoDataset(dataset.annotation_file, dataset.categories, dataset.images[:num_images])
    spec = PreprocessSpec(size_hw=(64, 64))
    return TrainingSet(part, spec, augment, mask_stride=4, seed=0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> CocoDataset:
    return _read(draw_coco(tmp_path_factory.mktemp("loader"), train=7, val=1, size_hw=(48, 64)))


@pytest.fixture(scope="module")
def two_workers(dataset: CocoDataset) -> Iterator[BatchLoader]:
    with BatchLoader(_training_set(dataset), batch_size=2, seed=3, workers=2) as loader:
        yield loader


def _alone(dataset: CocoDataset, num_images: int | None = None, seed: int = 3) -> BatchLoader:
    return BatchLoader(_training_set(dataset, num_images), batch_size=2, seed=seed, workers=0)


def _fields(batches: Iterator[Batch]) -> list[list[object]]:
    """Return all that is in batches, comparable by ==."""
    return [
        [(value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value]
        for batch in batches
        for value in (
            batch.images, batch.boxes, batch.labels, batch.masks, batch.valid, batch.image_ids
        )
    ]  # fmt: skip


def _runs(pid: int) -> bool:
    """Return whether a process exists and has not ended; nobody may have asked for its status."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("epoch", [0, 1])
def test_batches_do_not_depend_on_the_number_of_workers(
    dataset: CocoDataset, two_workers: BatchLoader, epoch: int
) -> None:
    expected = _fields(_alone(dataset).epoch(epoch))

    assert _fields(two_workers.epoch(epoch)) == expected
    with BatchLoader(_training_set(dataset), batch_size=2, seed=3, workers=1) as one_worker:
        assert _fields(one_worker.epoch(epoch)) == expected


def test_every_image_comes_at_most_once_and_the_last_short_batch_never(
    dataset: CocoDataset,
) -> None:
    loader = _alone(dataset)

    batches = list(loader.epoch(0))

    assert loader.steps_per_epoch == len(batches) == 3
    ids = [image_id for batch in batches for image_id in batch.image_ids]
    assert len(ids) == len(set(ids)) == 6


def test_a_dataset_smaller_than_a_batch_gives_one_smaller_batch(dataset: CocoDataset) -> None:
    loader = _alone(dataset, num_images=1)

    (batch,) = loader.epoch(0)

    assert loader.steps_per_epoch == 1
    assert len(batch.images) == len(batch.image_ids) == 1


def test_epochs_and_seeds_differ_in_order_and_in_augmentation(dataset: CocoDataset) -> None:
    loader, other_seed = _alone(dataset), _alone(dataset, seed=4)

    orders = [
        [batch.image_ids for batch in batches]
        for batches in (loader.epoch(0), loader.epoch(1), other_seed.epoch(0))
    ]

    assert orders[0] != orders[1]
    assert orders[0] != orders[2]
    one_size = _training_set(dataset, 1, AugmentRecipe())
    single = BatchLoader(one_size, batch_size=2, seed=3, workers=0)
    first, second = (next(single.epoch(epoch)).images for epoch in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("first_step", [0, 1, 2, 3, 4])
def test_beginning_at_a_step_gives_the_rest_of_the_epoch(
    dataset: CocoDataset, two_workers: BatchLoader, first_step: int
) -> None:
    whole = _fields(_alone(dataset).epoch(1))

    assert _fields(two_workers.epoch(1, first_step)) == whole[6 * first_step :]


def test_each_batch_is_a_square_of_a_drawn_side(dataset: CocoDataset) -> None:
    loader = _alone(dataset)

    batches = [batch for epoch in range(8) for batch in loader.epoch(epoch)]

    sides = [batch.images.shape[2] for batch in batches]
    assert set(sides) == {32, 64, 96}
    assert [batch.images.shape for batch in batches] == [(2, 3, side, side) for side in sides]
    assert [batch.masks.shape[2:] for batch in batches] == [(side / 4, side / 4) for side in sides]
    assert all((batch.boxes <= batch.images.shape[2]).all() for batch in batches)


@pytest.mark.parametrize(
    ("augment", "is_drawn"),
    [
        pytest.param(AugmentRecipe(), False, id="nothing drawn"),
        pytest.param(AugmentRecipe(random_interpolation=True), True, id="drawn"),
    ],
)
def test_a_drawn_interpolation_is_that_of_the_whole_batch(
    dataset: CocoDataset, augment: AugmentRecipe, is_drawn: bool
) -> None:
    training_set = _training_set(dataset, augment=augment)
    specs = [
        PreprocessSpec(size_hw=(64, 64), interpolation=interpolation)
        for interpolation in (INTERPOLATION_CODES if is_drawn else ["cubic"])
    ]
    loader = BatchLoader(training_set, batch_size=2, seed=3, workers=0)
    used = set()

    for epoch in range(8):
        for batch in loader.epoch(epoch):
            (interpolation,) = (
                spec.interpolation
                for spec in specs
                if np.array_equal(batch.images, _images(training_set, batch.image_ids, epoch, spec))
            )
            used.add(interpolation)

    assert used == {spec.interpolation for spec in specs}


def _images(
    training_set: TrainingSet, image_ids: list[int], epoch: int, spec: PreprocessSpec
) -> np.ndarray:
    """Return the images (N, 3, h, w) of a batch when all are resized by `spec`; ids are from 1."""
    rows = [(image_id - 1, training_set.records[image_id - 1]) for image_id in image_ids]
    samples = [training_set.maker.make(record, row, epoch, spec) for row, record in rows]
    return np.stack([spec.normalise(sample.image) for sample in samples])


def test_steps_that_are_skipped_are_not_read(tmp_path: Path) -> None:
    dataset = _read(draw_coco(tmp_path, train=4, val=1, size_hw=(48, 64)))
    loader = _alone(dataset)
    skipped = next(loader.epoch(0)).image_ids
    for record in dataset.images:
        if record.image_id in skipped:
            record.path.unlink()

    assert len(list(loader.epoch(0, first_step=1))) == 1


def test_an_epoch_that_was_left_does_not_disturb_the_next(
    dataset: CocoDataset, two_workers: BatchLoader
) -> None:
    left = two_workers.epoch(0)
    next(left)

    assert _fields(two_workers.epoch(1)) == _fields(_alone(dataset).epoch(1))
    with pytest.raises(RuntimeError, match="another epoch"):
        next(left)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named_and_the_loader_lives_on(tmp_path: Path, workers: int) -> None:
    dataset = _read(draw_coco(tmp_path, train=2, val=1, size_hw=(48, 64)))
    path = dataset.images[1].path
    content = path.read_bytes()
    with BatchLoader(_training_set(dataset), batch_size=2, seed=0, workers=workers) as loader:
        path.write_bytes(b"no picture")
        with pytest.raises(ImageError) as caught:
            next(loader.epoch(0))
        assert caught.value.where == str(path)

        path.write_bytes(content)
        assert len(list(loader.epoch(0))) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bug_is_reported_with_the_image(tmp_path: Path, workers: int) -> None:
    dataset = _read(draw_coco(tmp_path, train=1, val=1, size_hw=(48, 64)))
    # Something that `check-dataset` would have refused; the only instance stays in every crop.
    (instance, _) = dataset.images[0].instances
    object.__setattr__(instance, "segmentation", [[1.0]])
    object.__setattr__(dataset.images[0], "instances", (instance,))
    with BatchLoader(_training_set(dataset), batch_size=1, seed=0, workers=workers) as loader:
        batches = loader.epoch(0)
        with pytest.raises(RuntimeError, match=dataset.images[0].path.name):
            next(batches)


def test_no_images_are_an_error(dataset: CocoDataset) -> None:
    with pytest.raises(DatasetError, match="no images"):
        _alone(dataset, num_images=0)


def test_a_worker_that_is_killed_is_an_error_that_says_so(dataset: CocoDataset) -> None:
    with BatchLoader(_training_set(dataset), batch_size=2, seed=0, workers=1) as loader:
        (pid,) = loader.worker_pids
        os.kill(pid, signal.SIGKILL)

        with pytest.raises(DatasetError, match="signal 9"):
            list(loader.epoch(0))


def test_closing_ends_the_workers_in_the_middle_of_an_epoch(dataset: CocoDataset) -> None:
    with BatchLoader(_training_set(dataset), batch_size=1, seed=0, workers=2) as loader:
        pids = loader.worker_pids
        next(loader.epoch(0))

    assert not any(_runs(pid) for pid in pids)
    loader.close()


def test_workers_ignore_ctrl_c_and_do_not_load_paddle(two_workers: BatchLoader) -> None:
    list(two_workers.epoch(0))  # so that everything is imported

    for pid in two_workers.worker_pids:
        os.kill(pid, signal.SIGINT)
        libraries = " ".join(mapped.path for mapped in psutil.Process(pid).memory_maps())
        assert "cv2" in libraries
        assert "paddle" not in libraries
    assert len(list(two_workers.epoch(0))) == 3


# No `__main__` guard, and from standard input: neither survives multiprocessing's spawn.
_SCRIPT = """
import os, signal, sys
from pathlib import Path
from segtune.data.coco import read_coco
from segtune.data.dataset import TrainingSet
from segtune.data.loader import BatchLoader
from segtune.preprocess import PreprocessSpec
from segtune.recipe import AugmentRecipe

root = Path(ROOT)
dataset = read_coco(root / "annotations" / "instance_train.json", root / "images")
training_set = TrainingSet(
    dataset, PreprocessSpec(size_hw=(64, 64)), AugmentRecipe(), mask_stride=4, seed=0
)
loader = BatchLoader(training_set, batch_size=1, seed=0, workers=2)
batches = loader.epoch(0)
next(batches)
print(*loader.worker_pids, flush=True)
END
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, id="killed"),
        pytest.param("", 0, id="never closed"),
        pytest.param("raise SystemExit(3)", 3, id="by an exception"),
    ],
)
def test_no_worker_outlives_its_parent(tmp_path: Path, end: str, status: int) -> None:
    draw_coco(tmp_path, train=4, val=1, size_hw=(48, 64))

    finished = subprocess.run(
        [sys.executable, "-"],
        input=_SCRIPT.replace("ROOT", repr(str(tmp_path))).replace("END", end),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (status, "")
    pids = [int(pid) for pid in finished.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 20
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, pids))
