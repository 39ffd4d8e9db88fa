from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from segtune.categories import Categories
from segtune.data.coco import CocoDataset, ImageRecord, InstanceRecord, read_coco
from segtune.data.rings import iterate_rings

TRIANGLE = [2.0, 3.0, 6.0, 3.0, 6.0, 8.0]
SQUARE = [1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]
RLE = {"size": [10, 20], "counts": [25, 3, 172]}


def instance(annotation_id: int, segmentation: object) -> InstanceRecord:
    return InstanceRecord(annotation_id, 0, (2, 3, 6, 8), segmentation, False, 10.0)  # type: ignore[arg-type]


def dataset(*images: tuple[InstanceRecord, ...]) -> CocoDataset:
    records = tuple(
        ImageRecord(number, Path(f"{number}.png"), 10, 20, instances)
        for number, instances in enumerate(images, 1)
    )
    return CocoDataset(Path("a.json"), Categories([(1, "nut")]), records)


def test_rings_come_with_the_row_of_their_instance() -> None:
    split = dataset(
        (instance(1, [TRIANGLE, SQUARE]),), (), (instance(2, RLE), instance(3, [SQUARE]))
    )

    (chunk,) = iterate_rings(split)

    assert chunk.points.tolist()[:4] == [[2, 3], [6, 3], [6, 8], [1, 1]]
    assert chunk.starts.tolist() == [0, 3, 7, 11]
    assert chunk.instances.tolist() == [0, 0, 2]
    assert split.table.image_rows().tolist() == [0, 2, 2]
    assert split.table.rles == {1: RLE}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8192])
def test_the_rings_of_an_instance_are_never_parted(size: int) -> None:
    split = dataset(
        (instance(1, RLE), instance(2, [TRIANGLE, SQUARE])),
        (instance(3, RLE), instance(4, [SQUARE])),
    )

    chunks = list(iterate_rings(split, size))

    assert [row for chunk in chunks for row in chunk.instances.tolist()] == [1, 1, 3]
    assert np.concatenate([np.diff(chunk.starts) for chunk in chunks]).tolist() == [3, 4, 4]
    for chunk in chunks:
        assert chunk.starts[0] == 0
        assert chunk.starts[-1] == len(chunk.points)


def test_a_split_without_images_or_polygons_has_no_chunks() -> None:
    assert list(iterate_rings(dataset())) == []
    assert list(iterate_rings(dataset((instance(1, RLE),)))) == []


def test_a_table_gives_back_what_it_was_made_of(tiny_coco: Path) -> None:
    split = read_coco(tiny_coco / "annotations" / "instance_train.json", tiny_coco / "images")

    records = [record for image in split.images for record in image.instances]

    assert [split.table.record(row) for row in range(len(split.table))] == records


def test_the_pickle_of_an_image_holds_its_own_instances_only(tiny_coco: Path) -> None:
    split = read_coco(tiny_coco / "annotations" / "instance_train.json", tiny_coco / "images")
    content = [pickle.dumps(image) for image in split.images]

    assert [pickle.loads(one) for one in content] == list(split.images)
    assert max(map(len, content)) < 4000
