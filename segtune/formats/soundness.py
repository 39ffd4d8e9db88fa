"""The instances that have pixels on their image; the others are entered as lost.

Every reader's instances go through here, so writers draw and measure without looking again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from segtune import masks
from segtune.errors import DatasetError
from segtune.formats.account import Account
from segtune.formats.annotated import AnnotatedDataset, AnnotatedImage, AnnotatedInstance
from segtune.formats.class_names import not_unicode
from segtune.formats.rings import ring_fault


def without_faulty(dataset: AnnotatedDataset, account: Account) -> AnnotatedDataset:
    """Return the dataset without instances that cannot be drawn.

    Raises:
        DatasetError: No image, or no class, is left of it; a name is not Unicode text.
    """
    for name in (*dataset.class_names, *(image.file_name for image in dataset.images)):
        try:
            name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise not_unicode(name) from error
    if not dataset.images or not dataset.class_names:
        what = "image" if not dataset.images else "class"
        lost = [f"{entry.count} x {entry.kind}: {entry.places[0]}" for entry in account.lost]
        raise DatasetError(
            f"no {what} can be carried over",
            where="\n       ".join(lost) or None,
            remedy="check that SOURCE is the folder of the whole dataset, and its format",
        )
    images = tuple(_sound_image(image, account) for image in dataset.images)
    return replace(dataset, images=images)


def _sound_image(image: AnnotatedImage, account: Account) -> AnnotatedImage:
    sound = []
    for instance in image.instances:
        fault = segmentation_fault(instance.segmentation, image.size_hw)
        if fault is None:
            sound.append(instance)
        else:
            account.lose(fault, _place(image, instance))
    return replace(image, instances=tuple(sound))


def segmentation_fault(segmentation: Any, size_hw: tuple[int, int]) -> str | None:
    """Return what keeps a segmentation from being drawn on an image, or None.

    pycocotools reads run lengths without looking, so nothing reaches it before this has passed.
    """
    if isinstance(segmentation, dict):
        fault = _rle_fault(segmentation, size_hw)
    elif isinstance(segmentation, list):
        fault = _rings_fault(segmentation, size_hw)
    else:
        fault = "annotation without segmentation"
    if fault is None and masks.area(segmentation, size_hw) == 0:
        return "mask without a pixel on its image"
    return fault


def _rings_fault(segmentation: list[Any], size_hw: tuple[int, int]) -> str | None:
    if not segmentation:
        return "annotation without segmentation"
    for ring in segmentation:
        fault = ring_fault(ring, size_hw) if isinstance(ring, list) else "polygon that is no list"
        if fault is not None:
            return fault
    return None


def _rle_fault(segmentation: dict[str, Any], size_hw: tuple[int, int]) -> str | None:
    if segmentation.get("size") != list(size_hw):
        return "RLE of another size than its image"
    counts = segmentation.get("counts")
    try:
        runs = masks.run_lengths(counts).tolist() if isinstance(counts, str) else counts
    except ValueError:
        return "RLE that is damaged"
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        return "RLE that is damaged"
    return None if sum(runs) == size_hw[0] * size_hw[1] else "RLE of another size than its image"


def _place(image: AnnotatedImage, instance: AnnotatedInstance) -> str:
    number = f" {instance.annotation_id}" if instance.annotation_id is not None else ""
    return f"{image.place}, {instance.class_name}{number}"
