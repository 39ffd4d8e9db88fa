"""What was found on one picture, under PaddleX's keys, to print, save and hand to other tools.

Shapes: n instances, H x W image.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from segtune import labelme, masks
from segtune.categories import Categories
from segtune.draw import overlay
from segtune.errors import DependencyError, OutputError, RecipeError
from segtune.files import write_text
from segtune.images import ENCODINGS, write_image
from segtune.instances import Instances

if TYPE_CHECKING:
    from PIL import Image

MaskForm = Literal["cropped", "full", "rle"]
MASK_FORMS: tuple[MaskForm, ...] = ("cropped", "full", "rle")
Text = str  # the class below has a property called str, as PaddleX's has
KEYS = ("input_path", "page_index", "input_img", "boxes", "masks")


@dataclass(frozen=True, eq=False)
class Result(Mapping[str, Any]):
    """The instances of one picture.

    Reads like PaddleX's result: `result["boxes"]` are dicts of `cls_id`, `label`, `score` and
    `coordinate` (left, top, right, bottom in pixels), by descending score; `result["masks"]` are
    parallel to them, in the form that `mask_form` says; `input_path`, `page_index` and
    `input_img` (BGR) tell the picture. `instances` holds the same as arrays.

    Attributes:
        image: The picture, RGB (H, W, 3); smaller than it is if it was predicted by tiles.
        instances: Boxes, scores, labels and masks, in pixels of the whole picture.
        categories: The classes, by label.
        mask_form: `cropped` gives 0/1 arrays of the rounded box, as PaddleX does, `full` of the
            whole picture, `rle` compressed COCO RLE of the whole picture.
        input_path: Path or address; None for a picture that was in memory.
        name: Of files that are saved into a folder, without suffix.
        page_index: Of a document, from 0.
        frame_index: Of a video, from 0.
        time_s: Of a frame, from the start of its video.
        number: Place in the stream of pictures, from 1; what could not be read counts as well.
    """

    image: NDArray[np.uint8]
    instances: Instances
    categories: Categories
    mask_form: MaskForm = "cropped"
    input_path: Text | None = None
    name: Text = "array"
    page_index: int | None = None
    frame_index: int | None = None
    time_s: float | None = None
    number: int = 1

    def __getitem__(self, key: Text) -> Any:
        if key == "boxes":
            return self._boxes
        if key == "masks":
            return self.masks(self.mask_form)
        if key == "input_img":
            return self.image[:, :, ::-1]
        if key in KEYS:
            return getattr(self, key)
        raise KeyError(key)

    def __iter__(self) -> Iterator[Text]:
        return iter(KEYS)

    def __len__(self) -> int:
        return len(KEYS)

    def __repr__(self) -> Text:
        place = self.input_path or self.name
        return f"<Result of {place}: {len(self.instances)} instances>"

    def masks(self, form: MaskForm) -> list[Any]:
        """Return one mask an instance, in a form that `mask_form` may have."""
        if form not in MASK_FORMS:
            raise RecipeError(
                f"{form!r} is not a form of masks",
                where="mask_form",
                remedy=f"use one of {', '.join(MASK_FORMS)}",
            )
        rles = self.instances.rles
        if form == "rle":
            return [dict(rle) for rle in rles]
        if form == "full":
            return [masks.decode(rle).view(np.uint8) for rle in rles]
        return [
            masks.decode_box(rle, _rounded(box)).view(np.uint8)
            for rle, box in zip(rles, self.instances.boxes, strict=True)
        ]

    @property
    def json(self) -> dict[Text, Any]:
        """PaddleX's dict of JSON types: `{"res": {input_path, page_index, boxes, masks}}`."""
        return {"res": self._plain(self.mask_form)}

    @property
    def str(self) -> dict[Text, Text]:
        """The same as text, masks left out."""
        return {"res": str({"res": self._shown()})}

    @property
    def img(self) -> dict[Text, Image.Image]:
        """The overlay as a PIL image: `{"res": image}`."""
        from PIL import Image

        return {"res": Image.fromarray(self.draw())}

    def draw(self) -> NDArray[np.uint8]:
        """Return the picture with masks, boxes and labels drawn in, RGB (H, W, 3)."""
        return overlay(self.image, self._on_image(), self.categories)

    def print(
        self,
        json_format: bool = False,
        indent: int = 4,
        ensure_ascii: bool = False,
        format_json: bool | None = None,
    ) -> None:
        """Write boxes and picture to stdout, masks left out.

        Args:
            json_format: Whether as JSON, else as a Python dict on one line.
            indent: Of JSON.
            ensure_ascii: Whether JSON escapes what is not ASCII.
            format_json: Another name of `json_format`, which PaddleX's tutorial uses.
        """
        shown = {"res": self._shown()}
        if json_format or format_json:
            text = json.dumps(shown, indent=indent, ensure_ascii=ensure_ascii)
        else:
            text = str(shown)
        sys.stdout.write(f"{text}\n")

    def save_to_json(
        self,
        save_path: Text | Path,
        indent: int | None = 4,
        ensure_ascii: bool = False,
        *,
        mask_form: MaskForm | None = None,
    ) -> Path:
        """Write `json["res"]` to a file, and return its path.

        Args:
            save_path: A file that ends in .json, which is replaced, or a folder, in which the
                file is called `<name>_res.json`.
            indent: Of JSON.
            ensure_ascii: Whether to escape what is not ASCII.
            mask_form: Default: that of the result. `rle` is by far the smallest.

        Raises:
            OutputError: The place cannot be written to, or is the input.
        """
        path = self._target(Path(save_path), (".json",), ".json")
        record = self._plain(mask_form or self.mask_form)
        write_text(path, json.dumps(record, indent=indent, ensure_ascii=ensure_ascii) + "\n")
        return path

    def save_to_img(self, save_path: Text | Path) -> Path:
        """Write the overlay, and return its path.

        Args:
            save_path: A file that ends in .jpg, .jpeg or .png, which is replaced, or a folder, in
                which the file is called `<name>_res` and ends as the picture does, if it is one
                of these, else in .png.

        Raises:
            OutputError: The place cannot be written to, or is the input.
        """
        place = "" if self.input_path is None else urlsplit(self.input_path).path
        suffix = PurePosixPath(place).suffix.lower()
        path = self._target(
            Path(save_path), tuple(ENCODINGS), suffix if suffix in ENCODINGS else ".png"
        )
        write_image(path, self.draw())
        return path

    def save_all(self, save_path: Text | Path) -> list[Path]:
        """Write JSON and overlay into a folder, and return their paths. Raises OutputError."""
        return [self.save_to_json(save_path), self.save_to_img(save_path)]

    def to_coco(self, image_id: int = 1) -> list[dict[Text, Any]]:
        """Return COCO result records: category id, `bbox` as x, y, width, height, RLE, score."""
        return self.instances.to_coco(image_id, self.categories)

    def to_labelme(self) -> dict[Text, Any]:
        """Return a LabelMe document: polygons, or a bitmap where an instance has a hole."""
        return labelme.document_of(self.instances, self.categories, self.input_path)

    def to_supervision(self) -> Any:
        """Return `supervision.Detections`, with masks of the whole picture.

        Raises:
            DependencyError: supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise DependencyError(
                "supervision is not installed", remedy="pip install supervision"
            ) from error
        names = np.array(self.categories.names, dtype=np.str_)
        return supervision.Detections(
            xyxy=self.instances.boxes,
            mask=self.instances.masks,
            confidence=self.instances.scores,
            class_id=self.instances.labels.astype(int),
            data={"class_name": names[self.instances.labels]},
        )

    @cached_property
    def _boxes(self) -> list[dict[Text, Any]]:
        found = self.instances
        return [
            {
                "cls_id": int(label),
                "label": self.categories[int(label)].name,
                "score": float(score),
                "coordinate": [float(side) for side in box],
            }
            for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
        ]

    def _on_image(self) -> Instances:
        """Return the instances in pixels of `image`."""
        size_hw = (self.image.shape[0], self.image.shape[1])
        return self.instances.resized(size_hw)

    def _plain(self, form: MaskForm) -> dict[Text, Any]:
        found = self.masks(form)
        return self._header() | {
            "boxes": self._boxes,
            "masks": found if form == "rle" else [mask.tolist() for mask in found],
        }

    def _shown(self) -> dict[Text, Any]:
        return self._header() | {"boxes": self._boxes, "masks": "..."}

    def _header(self) -> dict[Text, Any]:
        header: dict[Text, Any] = {"input_path": self.input_path, "page_index": self.page_index}
        if self.frame_index is not None:
            header |= {"frame_index": self.frame_index, "time_s": self.time_s}
        return header

    def _target(self, save_path: Path, file_suffixes: tuple[Text, ...], suffix: Text) -> Path:
        is_file = save_path.suffix.lower() in file_suffixes and not save_path.is_dir()
        path = save_path if is_file else save_path / f"{self.name}_res{suffix}"
        if self.input_path is not None and path.exists():
            source = Path(self.input_path)
            if source.exists() and source.samefile(path):
                raise OutputError(
                    "the result would replace the picture it was found on",
                    where=str(path),
                    remedy="save it to another place",
                )
        return path


def _rounded(box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Return the box in whole pixels, a half to the even number, as PaddleX crops."""
    left, top, right, bottom = (round(float(side)) for side in box)
    return left, top, right, bottom
