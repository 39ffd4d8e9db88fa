"""Everything that a pipeline takes, everything that it refuses, and the table in its document."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from segtune import pipeline as pipeline_module
from segtune.errors import DeviceError, ImageError, RecipeError, SegtuneError
from segtune.images import write_image
from segtune.pipeline import Pipeline, create_pipeline, resolve_settings
from segtune.pipeline_config import DEFAULT, PipelineConfig, pipeline_yaml
from segtune.result import Result
from tests.finding import BLUE, RED, ColourFinder, picture
from tests.test_pictures import FRAMES, write_pdf, write_video

TABLE = Path(__file__).parents[1] / "docs" / "pipeline.md"
ONE_RED = picture(((10, 20, 30, 40), RED))
BGR = np.ascontiguousarray(ONE_RED[:, :, ::-1])


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(ColourFinder(), DEFAULT)


def labels(results: Iterator[Result]) -> list[list[str]]:
    return [[box["label"] for box in result["boxes"]] for result in results]


def saved(path: Path, image: NDArray[np.uint8] = ONE_RED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, image)
    return path


def encoded(**options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(ONE_RED).save(stream, "PNG", **options)
    return stream.getvalue()


Given = Callable[[Path], Any]
TAKEN: list[tuple[str, Given, int]] = [
    ("path, as text", lambda folder: str(saved(folder / "a.png")), 1),
    ("path, as `Path`", lambda folder: saved(folder / "a.png"), 1),
    ("folder, with folders below", lambda f: saved(f / "b" / "a.png").parent.parent, 1),
    ("glob", lambda f: f"{saved(f / 'b' / 'a.png').parent}/*.png", 1),
    ("array (h, w, 3), BGR", lambda _: BGR, 1),
    ("array (n, h, w, 3)", lambda _: np.stack([BGR, BGR]), 2),
    ("array (h, w, 4), BGRA", lambda _: np.dstack([BGR, BGR[:, :, 0]]), 1),
    ("array of uint16", lambda _: BGR.astype(np.uint16) * 256, 1),
    ("PIL image, RGB", lambda _: Image.fromarray(ONE_RED), 1),
    ("PIL image with palette", lambda _: Image.fromarray(ONE_RED).quantize(4), 1),
    ("PIL image, RGBA", lambda _: Image.fromarray(ONE_RED).convert("RGBA"), 1),
    ("bytes of a picture file", lambda _: encoded(), 1),
    ("dict with `img`", lambda folder: {"img": saved(folder / "a.png")}, 1),
    ("list, nested", lambda folder: [BGR, [str(saved(folder / "a.png")), (BGR,)]], 3),
    ("iterator", lambda _: iter([BGR, BGR]), 2),
    ("video", lambda folder: write_video(folder / "film.avi"), FRAMES),
]


@pytest.mark.parametrize(("kind", "given", "count"), TAKEN, ids=[row[0] for row in TAKEN])
def test_a_red_patch_is_found_in_whatever_is_given(
    pipeline: Pipeline, tmp_path: Path, kind: str, given: Given, count: int
) -> None:
    assert labels(pipeline.predict(given(tmp_path))) == [["red"]] * count


def test_grey_is_taken_as_grey(pipeline: Pipeline) -> None:
    grey = np.full((10, 12), 128, np.uint8)

    for given in (grey, grey[:, :, None], Image.fromarray(grey)):
        [result] = pipeline.predict(given)
        np.testing.assert_array_equal(result.image, np.full((10, 12, 3), 128))


def test_pages_of_a_pdf_are_pictures(pipeline: Pipeline, tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")

    results = list(pipeline.predict(write_pdf(tmp_path / "report.pdf")))

    assert [result["page_index"] for result in results] == [0, 1]
    assert [result.name for result in results] == ["report_0", "report_1"]
    assert labels(iter(results)) == [["red"], ["蓝"]]


def test_colours_of_an_array_are_blue_first_unless_said_otherwise(pipeline: Pipeline) -> None:
    assert labels(pipeline.predict(ONE_RED)) == [["蓝"]]
    assert labels(pipeline.predict(ONE_RED, channels="rgb")) == [["red"]]
    assert labels(pipeline.predict(cv2.imdecode(np.frombuffer(encoded(), np.uint8), 1))) == [
        ["red"]
    ]


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_results_come_in_the_order_of_the_input_in_batches(tmp_path: Path, batch_size: int) -> None:
    finder = ColourFinder()
    colours = (RED, BLUE, RED, RED, BLUE)
    given = [picture(((5, 5, 9, 9), colour))[:, :, ::-1] for colour in colours]

    found = labels(Pipeline(finder, DEFAULT).predict(given, batch_size=batch_size))

    assert found == [["red" if colour is RED else "蓝"] for colour in colours]
    assert max(finder.batches) == batch_size
    assert sum(finder.batches) == 5


REFUSED: list[tuple[str, Given, str]] = [
    ("missing file", lambda folder: folder / "no.png", "nothing found at"),
    ("empty folder", lambda folder: folder, "no pictures in"),
    ("glob without a match", lambda folder: f"{folder}/*.png", "nothing found at"),
    ("text file", lambda f: _file(f / "a.txt", b"text"), "is not a picture"),
    ("empty file", lambda f: _file(f / "a.png", b""), "is empty"),
    ("PNG cut short", lambda f: _file(f / "a.png", encoded()[:60]), "is cut short"),
    ("bytes that are no picture", lambda _: b"text", "is not a picture"),
    ("PDF that is none", lambda f: _file(f / "a.pdf", b"text"), "is not a picture"),
    ("video that is none", lambda f: _file(f / "a.mp4", b"text"), "is not a video"),
    ("address with nobody there", lambda _: "http://127.0.0.1:1/a.png", "the download failed"),
    ("address of another scheme", lambda _: "file:///etc/hosts", "http and https"),
    ("array of size 0", lambda _: BGR[:0], "has no pixels"),
    ("array of float", lambda _: BGR / 255, "array of float64"),
    ("array of bool", lambda _: BGR > 0, "array of bool"),
    ("array (3, h, w)", lambda _: BGR.transpose(2, 0, 1), "of shape (3, 60, 80)"),
    ("array (h, w, 2)", lambda _: BGR[:, :, :2], "of shape (60, 80, 2)"),
    ("PIL image of mode F", lambda _: Image.new("F", (4, 4)), "of mode F"),
    ("`None`, as cv2.imread returns", lambda _: None, "None is nothing"),
    ("number that is no camera", lambda _: 97, "no camera 97"),
    ("fraction", lambda _: 0.5, "of type float"),
    ("dict of other keys", lambda _: {"pixels": BGR}, "'pixels'"),
    ("empty list", lambda _: [], "is empty"),
    ("empty text", lambda _: "", "an empty text"),
]


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("kind", "given", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_cannot_be_predicted_says_what_where_and_what_to_do(
    pipeline: Pipeline, tmp_path: Path, kind: str, given: Given, words: str
) -> None:
    unusable = given(tmp_path)

    with pytest.raises(ImageError) as caught:
        list(pipeline.predict(unusable))

    assert words in caught.value.problem
    assert caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize("batch_size", [1, 2, 8])
@pytest.mark.parametrize(("kind", "given", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_it_loses_none_of_the_others(
    pipeline: Pipeline, tmp_path: Path, kind: str, given: Given, words: str, batch_size: int
) -> None:
    (tmp_path / "empty").mkdir()
    mixed = [BGR, given(tmp_path / "empty"), BGR, BGR]

    results = pipeline.predict(mixed, on_error="skip", batch_size=batch_size)
    numbers = [result.number for result in results]
    [failure] = results.failed
    assert numbers == [1, 3, 4]
    assert words in failure.error.problem

    results = pipeline.predict(mixed, batch_size=batch_size)
    assert next(results).number == 1
    with pytest.raises(SegtuneError):
        next(results)


def test_the_table_of_the_document_is_this_tests() -> None:
    text = TABLE.read_text(encoding="utf-8")

    for kind, _, count in TAKEN:
        assert f"| {kind} | {'a result a frame' if kind == 'video' else count} |" in text
    for kind, _, words in REFUSED:
        assert any(line.startswith(f"| {kind} |") and words in line for line in text.splitlines())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold": 2}, "threshold cannot be 2"),
        ({"batch_size": 0}, "batch_size cannot be 0"),
        ({"mask_form": "png"}, "mask_form cannot be 'png'"),
        ({"on_error": "ignore"}, "on_error cannot be 'ignore'"),
        ({"channels": "hsv"}, "channels cannot be 'hsv'"),
        ({"tile": 3}, "tiles of 3 px"),
    ],
)
def test_settings_are_checked_before_anything_is_read(
    pipeline: Pipeline, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        pipeline.predict("absent.png", **settings)


def test_names_of_results_are_free_of_collisions(pipeline: Pipeline, tmp_path: Path) -> None:
    saved(tmp_path / "a" / "x.png")
    saved(tmp_path / "b" / "x.png")

    names = [result.name for result in pipeline.predict([tmp_path, BGR, BGR])]

    assert names == ["x", "x-2", "array", "array-2"]


def test_tiles_find_what_the_whole_picture_shows(pipeline: Pipeline, tmp_path: Path) -> None:
    image = picture(((60, 60, 200, 90), RED), size_hw=(260, 300))
    path = saved(tmp_path / "wide.png", image)

    [result] = pipeline.predict(path, tile=100)

    assert result.instances.boxes.tolist() == [[60, 60, 200, 90]]
    assert result.input_path == str(path)


def test_what_is_given_wins_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "pens.yaml"
    config.write_text(
        pipeline_yaml("bundle", model_name="PP-YOLOE_seg-S", batch_size=4, threshold=0.3)
    )

    assert resolve_settings(config) == PipelineConfig("bundle", 4, 0.3)
    found = resolve_settings(config, model="other", device="gpu:1", batch_size=2, threshold=0.0)
    assert found == PipelineConfig("other", 2, 0.0, "gpu:1")
    assert resolve_settings() == resolve_settings("instance_segmentation") == DEFAULT
    assert resolve_settings(model=str(config)) == PipelineConfig("bundle", 4, 0.3)
    with pytest.raises(RecipeError, match="a pipeline and a config"):
        resolve_settings(config, config={})


def test_an_absent_device_names_those_present_before_a_model_is_opened() -> None:
    for name in ("npu:0", "xpu:7", "mlu:0", "gcu:0", "gpu:98,99"):
        with pytest.raises(DeviceError, match="is not there; present: cpu"):
            create_pipeline(device=name)


def test_runtime_and_precision_reach_what_opens_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def open_stub(model: str, **options: object) -> ColourFinder:
        opened.append((model, options["runtime"], options["precision"]))
        return ColourFinder()

    opened: list[tuple[object, ...]] = []
    monkeypatch.setattr("segtune.sources.open_predictor", open_stub)

    create_pipeline(model="bundle", runtime="openvino", precision="bf16")
    create_pipeline(model="bundle")

    assert opened == [("bundle", "openvino", "bf16"), ("bundle", "paddle", "fp32")]


def test_the_snippets_of_paddlexs_tutorial_run_with_the_import_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def open_stub(settings: PipelineConfig, **_: object) -> ColourFinder:
        assert settings.model in ("Mask-RT-DETR-S", "/models/pens")
        return ColourFinder()

    monkeypatch.setattr(pipeline_module, "open_on_devices", open_stub)
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "photo.png")
    (tmp_path / "my.yaml").write_text("Pipeline: {model: /models/pens, device: 'gpu:0'}")
    snippet = """
from segtune import create_pipeline

pipeline = create_pipeline(pipeline={pipeline!r})

output = pipeline.predict("photo.png")
for res in output:
    res.print()
    res.save_to_img("./output/")
    res.save_to_json("./output/")
"""
    for name in ("instance_segmentation", "./my.yaml"):
        exec(snippet.format(pipeline=name), {})

        written = {path.name for path in (tmp_path / "output").iterdir()}
        assert written == {"photo_res.png", "photo_res.json"}
        assert "'label': 'red'" in capsys.readouterr().out
