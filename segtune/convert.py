"""The use case `convert`: a dataset of another tool as one of segtune, or back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segtune.errors import DatasetError
from segtune.files import atomic_folder
from segtune.formats.account import Account
from segtune.formats.annotated import SPLITS, AnnotatedDataset
from segtune.formats.class_names import renamed
from segtune.formats.coco import read_coco_dataset
from segtune.formats.coco_writer import write_coco
from segtune.formats.cvat import find_xml, read_cvat
from segtune.formats.guess import SourceFormat, guess_format
from segtune.formats.labelme import read_labelme
from segtune.formats.labelme_writer import write_labelme
from segtune.formats.mask_files import read_mask_files
from segtune.formats.soundness import without_faulty
from segtune.formats.source_paths import refuse_inside
from segtune.formats.voc import read_voc
from segtune.formats.yolo import read_yolo
from segtune.formats.yolo_writer import write_yolo
from segtune.progress import Reporter, SilentReporter

TargetFormat = Literal["coco", "yolo", "labelme"]
_WRITERS = {"coco": write_coco, "yolo": write_yolo, "labelme": write_labelme}
_SILENT = SilentReporter()


@dataclass(frozen=True)
class Conversion:
    """What a conversion made, and what it could not carry over."""

    source_format: SourceFormat
    target_format: TargetFormat
    output: Path
    images_per_split: dict[str, int]
    """By split; images without one count as `all`."""
    instances_per_class: dict[str, int]
    """In the order of the classes, zeros included; before the target's own losses."""
    account: Account

    @property
    def num_images(self) -> int:
        """How many images were carried over."""
        return sum(self.images_per_split.values())

    @property
    def num_instances(self) -> int:
        """How many instances are in the result."""
        return self.account.carried.get("instances", 0)

    def to_json(self) -> dict[str, Any]:
        """Return the conversion as plain values."""
        return {
            "from": self.source_format,
            "to": self.target_format,
            "output": str(self.output),
            "images": self.num_images,
            "instances": self.num_instances,
            "images_per_split": self.images_per_split,
            "instances_per_class": self.instances_per_class,
            **self.account.to_json(),
        }


def convert(
    source: Path,
    output: Path,
    *,
    to: TargetFormat = "coco",
    source_format: SourceFormat | None = None,
    images: Path | None = None,
    class_name: str | None = None,
    renames: Mapping[str, str] | None = None,
    link: bool = False,
    reporter: Reporter = _SILENT,
) -> Conversion:
    """Write a dataset in another format to a new folder, whole or not at all.

    Args:
        source: The dataset as its tool exported it; nothing outside it is read.
        output: The folder to make.
        to: The format to write.
        source_format: The format to read; default: what `source` unmistakably is.
        images: The folder of the pictures, for COCO and CVAT files that lie elsewhere.
        class_name: The class of all masks, where their file names do not tell.
        renames: New class names by old ones; classes that get one name are joined.
        link: Whether pictures are linked instead of copied.
        reporter: Told about every image.

    Raises:
        DatasetError: The source cannot be read, or nothing of it can be carried over.
        OutputError: `output` exists, lies inside `source`, or cannot be written.
    """
    refuse_inside(output, source)
    account = Account()
    with atomic_folder(output) as folder:
        chosen = source_format or guess_format(source)
        read = _read(source, chosen, account, images, class_name, reporter)
        dataset = without_faulty(renamed(read, renames or {}), account)
        _WRITERS[to](dataset, folder, account, link=link, reporter=reporter)
    per_class = Counter(one.class_name for image in dataset.images for one in image.instances)
    per_split = Counter(image.split for image in dataset.images)
    return Conversion(
        source_format=chosen,
        target_format=to,
        output=output,
        images_per_split={
            split or "all": per_split[split] for split in (*SPLITS, None) if per_split[split]
        },
        instances_per_class={name: per_class[name] for name in dataset.class_names},
        account=account,
    )


def _read(
    source: Path,
    source_format: SourceFormat,
    account: Account,
    images: Path | None,
    class_name: str | None,
    reporter: Reporter,
) -> AnnotatedDataset:
    if not source.exists():
        raise DatasetError(
            "there is no such dataset",
            where=str(source),
            remedy="check the path; a relative one starts from the working folder",
        )
    if source_format in ("labelme", "masks", "voc") and not source.is_dir():
        raise DatasetError(
            f"a {source_format} dataset is a folder, this is a file",
            where=str(source),
            remedy="give the folder",
        )
    if source_format == "labelme":
        return read_labelme(source, account, reporter=reporter)
    if source_format == "yolo":
        return read_yolo(source, account, reporter=reporter)
    if source_format == "voc":
        return read_voc(source, account, reporter=reporter)
    if source_format == "masks":
        return read_mask_files(source, account, class_name=class_name, reporter=reporter)
    if source_format == "cvat" and find_xml(source):
        return read_cvat(source, account, images=images, reporter=reporter)
    return read_coco_dataset(source, account, images=images, reporter=reporter)
