"""Results as files: written one by one as they come, so that memory does not follow their number.

json      <name>.json a picture; <name>.jsonl a video, a line a frame
coco      coco_results.json, one list for all pictures
overlay   <name>_overlay.jpg a picture; <name>_overlay.mp4 a video
paddlex   paddlex/<name>_res.json, as PaddleX's save_to_json writes it
labelme   labelme/<name>.json
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TextIO

import cv2
import numpy as np
from numpy.typing import NDArray

from segtune.errors import OutputError
from segtune.files import atomic_path, write_text
from segtune.images import write_image
from segtune.inputs import ImageInput
from segtune.predictor import InstancePredictor
from segtune.result import Result

Format = Literal["json", "coco", "overlay", "paddlex", "labelme"]
FORMATS: tuple[Format, ...] = ("json", "coco", "overlay", "paddlex", "labelme")
USUAL_FORMATS: tuple[Format, ...] = ("json", "coco", "overlay")
COCO_RESULTS = "coco_results.json"
_FRAMES_PER_SECOND = 25.0  # of a video that does not tell its own
_SLOWEST_GAP_S = 1e-3  # between frames; less is no rate that a video can have


class ResultFiles:
    """Writes the results of one prediction into a folder.

    Args:
        predictor: Whose model and classes the files name.
        output: The folder, made with the first result.
        formats: What to write.
        threshold: Of the scores, noted in `json`.
        overwrite: Whether files that are there may be replaced.
    """

    def __init__(
        self,
        predictor: InstancePredictor,
        output: Path,
        formats: Sequence[Format],
        *,
        threshold: float,
        overwrite: bool,
    ) -> None:
        self._predictor = predictor
        self._output = output
        self._formats = formats
        self._threshold = threshold
        self._overwrite = overwrite
        self._all = ExitStack()  # files that end with the prediction
        self._coco: _JsonList | None = None
        self._video: _VideoFiles | None = None

    def __enter__(self) -> ResultFiles:
        return self

    def __exit__(self, *exception: Any) -> None:
        """Finish what is open; an interrupt keeps what was found, an error leaves no part."""
        kind = exception[0]
        kept = kind is None or issubclass(kind, KeyboardInterrupt)
        if kept:
            self._end_video()
            if "coco" in self._formats and self._coco is None and kind is None:
                self._open_coco()
            if self._coco is not None:
                self._coco.end()
            self._all.close()
        else:
            if self._video is not None:
                self._video.abandon(*exception)
            self._all.__exit__(*exception)

    def add(self, result: Result) -> None:
        """Write one result. Raises OutputError."""
        if result.frame_index is None or (self._video and result.frame_index == 0):
            self._end_video()
        if "coco" in self._formats:
            (self._coco or self._open_coco()).extend(
                # COCO tools ignore the additional key; without it an image id means nothing.
                {**record, "file_name": result.input_path or result.name}
                for record in result.to_coco(result.number)
            )
        if result.frame_index is None:
            self._add_picture(result)
        else:
            self._add_frame(result)
        if "paddlex" in self._formats:
            result.save_to_json(self._claimed(f"paddlex/{result.name}_res.json"), indent=None)
        if "labelme" in self._formats:
            path = self._claimed(f"labelme/{result.name}.json")
            write_text(path, json.dumps(result.to_labelme(), ensure_ascii=False) + "\n")

    def _add_picture(self, result: Result) -> None:
        if "json" in self._formats:
            text = json.dumps(self._record(result), ensure_ascii=False) + "\n"
            write_text(self._claimed(f"{result.name}.json"), text)
        if "overlay" in self._formats:
            write_image(self._claimed(f"{result.name}_overlay.jpg"), result.draw())

    def _add_frame(self, result: Result) -> None:
        if self._video is None:
            stem = result.name.removesuffix(f"_{result.frame_index}")
            lines = self._claimed(f"{stem}.jsonl") if "json" in self._formats else None
            overlay = self._claimed(f"{stem}_overlay.mp4") if "overlay" in self._formats else None
            self._video = _VideoFiles(lines, overlay)
        self._video.add(self._record(result), result)

    def _record(self, result: Result) -> dict[str, Any]:
        height, width = result.instances.size_hw
        record: dict[str, Any] = {
            "image_id": result.number,
            "file": result.input_path or result.name,
            "height": height,
            "width": width,
            "model": self._predictor.model_name,
            "threshold": self._threshold,
            "instances": result.instances.to_json(result.categories),
        }
        if result.page_index is not None:
            record["page_index"] = result.page_index
        if result.frame_index is not None:
            record |= {"frame_index": result.frame_index, "time_s": result.time_s}
        return record

    def _claimed(self, name: str) -> Path:
        """Return where a file goes. Raises OutputError if it is there and may not be replaced."""
        path = self._output / name
        if path.exists() and not self._overwrite:
            raise _taken([path])
        return path

    def _open_coco(self) -> _JsonList:
        path = self._all.enter_context(atomic_path(self._claimed(COCO_RESULTS)))
        stream = self._all.enter_context(path.open("w", encoding="utf-8"))
        self._coco = _JsonList(stream)
        return self._coco

    def _end_video(self) -> None:
        if self._video is not None:
            self._video.end()
            self._video = None


class _JsonList:
    """A JSON list that grows in a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._before = "["

    def extend(self, records: Iterator[dict[str, Any]]) -> None:
        for record in records:
            self._stream.write(self._before + json.dumps(record, ensure_ascii=False))
            self._before = ",\n"

    def end(self) -> None:
        self._stream.write("[]\n" if self._before == "[" else "]\n")


class _VideoFiles:
    """The two files of one video, which grow by a line and a frame at a time."""

    def __init__(self, lines: Path | None, overlay: Path | None) -> None:
        self._open = ExitStack()
        self._lines: TextIO | None = None
        self._film: _Film | None = None
        if lines is not None:
            part = self._open.enter_context(atomic_path(lines))
            self._lines = self._open.enter_context(part.open("w", encoding="utf-8"))
        if overlay is not None:
            part = self._open.enter_context(atomic_path(overlay, ".part.mp4"))
            self._film = self._open.enter_context(_Film(part, overlay))

    def add(self, record: dict[str, Any], result: Result) -> None:
        if self._lines is not None:
            self._lines.write(json.dumps(record, ensure_ascii=False) + "\n")
        if self._film is not None:
            self._film.add(result.draw(), result.time_s)

    def end(self) -> None:
        self._open.close()

    def abandon(self, *exception: Any) -> None:
        self._open.__exit__(*exception)


class _Film:
    """An MP4 that opens with its second frame, since only that tells how fast it runs."""

    def __init__(self, path: Path, name: Path) -> None:
        self._path = path
        self._name = name
        self._first: NDArray[np.uint8] | None = None
        self._writer: cv2.VideoWriter | None = None
        self._size_hw = (0, 0)

    def __enter__(self) -> _Film:
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._first is not None and exception[0] is None:
            self._start(None)
        if self._writer is not None:
            self._writer.release()

    def add(self, drawn: NDArray[np.uint8], time_s: float | None) -> None:
        if self._writer is None and self._first is None:
            self._first = drawn
            return
        if self._writer is None:
            self._start(time_s)
        self._write(drawn)

    def _start(self, time_s: float | None) -> None:
        first = self._first
        assert first is not None
        gap_s = time_s if time_s is not None and time_s > _SLOWEST_GAP_S else None
        rate = _FRAMES_PER_SECOND if gap_s is None else 1 / gap_s
        height, width = (max(2, side - side % 2) for side in first.shape[:2])  # codecs want even
        self._size_hw = (height, width)
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(self._path), code, rate, (width, height))
        if not self._writer.isOpened():
            raise OutputError(
                "this build of OpenCV cannot write MP4",
                where=str(self._name),
                remedy="leave the format overlay out: --format json",
            )
        self._first = None
        self._write(first)

    def _write(self, drawn: NDArray[np.uint8]) -> None:
        height, width = self._size_hw
        if drawn.shape[0] < height or drawn.shape[1] < width:
            drawn = np.asarray(cv2.resize(drawn, (width, height)), np.uint8)
        assert self._writer is not None
        self._writer.write(cv2.cvtColor(drawn[:height, :width], cv2.COLOR_RGB2BGR))


def check_output(
    images: Sequence[ImageInput], output: Path, formats: Sequence[Format], *, overwrite: bool
) -> None:
    """Refuse an output folder in which results would replace something.

    Pages of documents, whose number is not known yet, are looked at as they are written.

    Raises:
        OutputError: A result exists and `overwrite` is not given, an input would be replaced, or
            two results would have one name.
    """
    targets = [path for image in images for path in _targets(image, output, formats)]
    if "coco" in formats:
        targets.append(output / COCO_RESULTS)
    doubled = [path for path, count in Counter(targets).items() if count > 1]
    if doubled:  # a picture called coco_results
        raise OutputError(
            f"two results would be called {doubled[0].name}",
            where=str(doubled[0]),
            remedy="rename the picture, or leave out one of the formats json and coco",
        )
    sources = {Path(image.place).resolve() for image in images if image.is_file}
    endangered = [path for path in targets if path.resolve() in sources]
    if endangered:
        raise OutputError(
            f"the result {endangered[0].name} would replace an input picture",
            where=str(endangered[0]),
            remedy="choose another --save-path",
        )
    existing = [path for path in targets if path.exists()]
    if existing and not overwrite:
        raise _taken(existing)
    if output.exists() and not output.is_dir():
        raise OutputError(
            f"{output} is a file, not a folder",
            where=str(output),
            remedy="choose another --save-path",
        )


def _taken(existing: Sequence[Path]) -> OutputError:
    return OutputError(
        f"{len(existing)} of the results exist already",
        where=str(existing[0]),
        remedy="choose another --save-path, or allow it with --overwrite",
    )


def _targets(image: ImageInput, output: Path, formats: Sequence[Format]) -> Iterator[Path]:
    name = image.result_name
    if "json" in formats:
        yield output / (f"{name}.jsonl" if image.is_video else f"{name}.json")
    if "overlay" in formats:
        yield output / (f"{name}_overlay.mp4" if image.is_video else f"{name}_overlay.jpg")
    if "paddlex" in formats and not image.is_video:
        yield output / "paddlex" / f"{name}_res.json"
    if "labelme" in formats and not image.is_video:
        yield output / "labelme" / f"{name}.json"
