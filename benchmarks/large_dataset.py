"""A made-up annotation file as large as COCO train2017's, without images.

    python benchmarks/large_dataset.py --share 0.1      # writes /tmp/segtune_large_dataset_10.json

It has COCO's fields, 80 categories, 118,287 images and 860,001 instances (or a share of both):
rings of 22 points on average with two decimals, a tenth of the instances with two to four rings,
1 % crowds with uncompressed run lengths. As in COCO, six of ten rings turn back somewhere on their
way around, and one of 250 crosses itself. Ids and order are shuffled, as in COCO's own file. The
same seed and share give the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUM_IMAGES, NUM_INSTANCES, NUM_CATEGORIES = 118_287, 860_001, 80
SIZES_HW = ((480, 640), (640, 480), (427, 640), (640, 427), (375, 500), (612, 612))
BLOCK = 5000  # instances drawn at a time
LARGEST_ID = 900_000
CROWD_SHARE, MANY_RINGS_SHARE = 0.01, 0.1
BENT_SHARE, CROSSING_SHARE = 0.6, 0.004  # in COCO, 0.6 turn back somewhere; 0.005 cross themselves
LOG_POINTS = (2.75, 0.6)  # mean and deviation of log(points of a ring), to which 3 are added

Entry = dict[str, Any]


def file_of(share: float, folder: Path = Path("/tmp")) -> Path:
    """Return the file of a share of the size, written when it is not there yet."""
    file = folder / f"segtune_large_dataset_{round(100 * share)}.json"
    if not file.exists():
        write(file, share)
    return file


def write(file: Path, share: float, seed: int = 0) -> None:
    """Write the annotation file, a block at a time, under its name when it is whole."""
    rng = np.random.default_rng(seed)
    num_images, num_instances = round(share * NUM_IMAGES), round(share * NUM_INSTANCES)
    image_ids = rng.choice(np.arange(1, LARGEST_ID), num_images, replace=False)
    sizes_hw = np.array(SIZES_HW)[rng.integers(len(SIZES_HW), size=num_images)]
    annotation_ids = rng.permutation(np.arange(1, 2 * num_instances))[:num_instances]
    partial = file.with_suffix(".part")
    with partial.open("w", encoding="ascii") as output:
        output.write('{"info": {"description": "made up","year": 2017},"licenses": [],"images": [')
        _write_list(output, images(image_ids, sizes_hw))
        output.write('],"annotations": [')
        _write_list(output, annotations(rng, annotation_ids, image_ids, sizes_hw))
        output.write('],"categories": [')
        _write_list(output, categories())
        output.write("]}")
    partial.rename(file)


def categories() -> Iterator[Entry]:
    """Yield the entries of `categories`."""
    for category_id in range(1, NUM_CATEGORIES + 1):
        yield {"supercategory": "thing", "id": category_id, "name": f"class {category_id}"}


def images(image_ids: NDArray[np.int64], sizes_hw: NDArray[np.int64]) -> Iterator[Entry]:
    """Yield the entries of `images`."""
    for image_id, (height, width) in zip(image_ids.tolist(), sizes_hw.tolist(), strict=True):
        name = f"{image_id:012}.jpg"
        yield {
            "license": 1,
            "file_name": name,
            "coco_url": f"http://images.example.org/train2017/{name}",
            "height": height,
            "width": width,
            "date_captured": "2013-11-14 17:02:52",
            "flickr_url": f"http://farm1.example.org/0/{image_id}_z.jpg",
            "id": image_id,
        }


def annotations(
    rng: np.random.Generator,
    annotation_ids: NDArray[np.int64],
    image_ids: NDArray[np.int64],
    sizes_hw: NDArray[np.int64],
) -> Iterator[Entry]:
    """Yield the entries of `annotations`."""
    for start in range(0, len(annotation_ids), BLOCK):
        ids = annotation_ids[start : start + BLOCK].tolist()
        rows = rng.integers(len(image_ids), size=len(ids))
        is_crowd = rng.random(len(ids)) < CROWD_SHARE
        labels = rng.integers(1, NUM_CATEGORIES + 1, size=len(ids)).tolist()
        for own_id, row, crowd, label in zip(ids, rows, is_crowd, labels, strict=True):
            drawn = _crowd(rng, sizes_hw[row]) if crowd else _polygons(rng, sizes_hw[row])
            segmentation, area, bbox = drawn
            yield {
                "segmentation": segmentation,
                "area": area,
                "iscrowd": int(crowd),
                "image_id": int(image_ids[row]),
                "bbox": bbox,
                "category_id": label,
                "id": own_id,
            }


def _polygons(
    rng: np.random.Generator, size_hw: NDArray[np.int64]
) -> tuple[list[list[float]], float, list[float]]:
    """Return rings beside each other, as of an object behind a post, with area and box."""
    num_rings = int(rng.integers(2, 5)) if rng.random() < MANY_RINGS_SHARE else 1
    size_wh = size_hw[::-1]
    radius = np.exp(rng.uniform(np.log(4), np.log(min(size_wh) / (2.5 * num_rings))))
    step = np.array([2.1 * radius, 0])
    margin = np.array([radius, radius])
    first = margin + rng.random(2) * (size_wh - 2 * margin - (num_rings - 1) * step)
    rings = [_ring(rng, first + number * step, radius) for number in range(num_rings)]
    points = np.concatenate(rings)
    low, high = points.min(axis=0), points.max(axis=0)
    bbox = np.round([*low, *(high - low)], 2).tolist()
    return [ring.ravel().tolist() for ring in rings], sum(map(_area, rings)), bbox


def _ring(
    rng: np.random.Generator, centre: NDArray[np.float64], radius: float
) -> NDArray[np.float64]:
    """Return the points (P, 2) of a ring around a centre; few cross themselves, half are bent."""
    num_points = 3 + int(rng.lognormal(*LOG_POINTS))
    angles = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    radii = radius * (0.7 + 0.3 * rng.random(num_points))
    x, y = radii * np.cos(angles), radii * np.sin(angles)
    if rng.random() < BENT_SHARE:
        y = 0.4 * y + 0.6 * x**2 / radius - 0.3 * radius  # as a banana, which stays in the circle
    if rng.random() < CROSSING_SHARE:
        x[:2], y[:2] = x[1::-1].copy(), y[1::-1].copy()
    return np.asarray(np.round(centre + np.stack([x, y], axis=1), 2))


def _area(ring: NDArray[np.float64]) -> float:
    """Return what a ring (P, 2) encloses."""
    x, y = ring.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _crowd(rng: np.random.Generator, size_hw: NDArray[np.int64]) -> tuple[Entry, int, list[float]]:
    """Return a band of columns as run lengths, with its area and its box."""
    height, width = size_hw.tolist()
    first, last = sorted(rng.integers(0, width, size=2).tolist())
    num_columns = last - first + 1
    tops = rng.integers(0, height // 2, size=num_columns)
    filled = rng.integers(1, height // 2, size=num_columns)
    ends = np.stack([tops, tops + filled], axis=1) + height * np.arange(first, last + 1)[:, None]
    bounds = np.concatenate([[0], ends.ravel(), [height * width]])
    bbox = [first, int(tops.min()), num_columns, int((tops + filled).max() - tops.min())]
    counts = np.diff(bounds).tolist()
    return {"counts": counts, "size": [height, width]}, int(filled.sum()), list(map(float, bbox))


def _write_list(output: Any, entries: Iterator[Entry]) -> None:
    """Write entries in COCO's spacing: blanks behind colons only."""
    for number, entry in enumerate(entries):
        output.write("," if number else "")
        output.write(json.dumps(entry, separators=(",", ": ")))


def main() -> None:
    """Write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    options = parser.parse_args()
    file = file_of(options.share, options.folder)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
