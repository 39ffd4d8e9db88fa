import numpy as np
import pytest

from segtune.categories import Categories
from segtune.instances import Instances
from segtune.masks import encode

CATEGORIES = Categories([(3, "cup"), (8, "pen")])


def _two() -> Instances:
    bitmap = np.zeros((4, 6), bool)
    bitmap[1:3, 2:5] = True
    return Instances(
        np.asarray([[2, 1, 5, 3], [0, 0, 6, 4]], np.float32),
        np.asarray([0.5, 0.75], np.float32),
        np.asarray([1, 0]),
        (encode(bitmap), encode(~bitmap)),
        (4, 6),
    )


def test_masks_come_back_as_bitmaps_of_the_image() -> None:
    masks = _two().masks

    assert masks.shape == (2, 4, 6)
    assert masks.dtype == bool
    assert masks[0].sum() == 6
    np.testing.assert_array_equal(masks[0], ~masks[1])


def test_coco_records_carry_category_ids_and_xywh_boxes() -> None:
    record = _two().to_coco(11, CATEGORIES)[0]

    assert record["image_id"] == 11
    assert record["category_id"] == 8
    assert record["bbox"] == [2, 1, 3, 2]
    assert record["segmentation"]["size"] == [4, 6]


def test_json_names_the_class() -> None:
    entry = _two().to_json(CATEGORIES)[1]

    assert (entry["label"], entry["category_id"], entry["class_name"]) == (0, 3, "cup")
    assert entry["box_xyxy"] == [0, 0, 6, 4]


def test_rows_are_selected_in_the_order_asked_for() -> None:
    chosen = _two().select(np.asarray([1, 0]))

    assert chosen.scores.tolist() == [0.75, 0.5]
    assert len(_two().select(np.asarray([False, False]))) == 0


def test_no_instances_have_full_shapes() -> None:
    none = Instances.none((4, 6))

    assert none.boxes.shape == (0, 4)
    assert none.masks.shape == (0, 4, 6)
    assert none.to_coco(1, CATEGORIES) == []


def test_fields_of_unlike_length_are_a_bug() -> None:
    with pytest.raises(ValueError, match="do not go with"):
        Instances(
            np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros(2, np.int64), (), (4, 6)
        )
