from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from segtune import exif
from segtune.check_dataset import check_dataset
from segtune.cli.app import app
from segtune.data.layout import SplitFiles, locate_root
from segtune.errors import DatasetError, ImageError, OutputError
from segtune.progress import SilentReporter, Task
from segtune.repair_dataset import repair_dataset
from tests.data.repair.broken import altered, build, sound
from tests.drawing import draw_coco


class Recording(SilentReporter):
    """Keeps titles and totals of tasks."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int]] = []

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        self.tasks.append((title, total))
        with super().task(title, total) as task:
            yield task


def state(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_sound_dataset_is_copied_as_it_is(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "set")
    (root / "images" / "unnamed.png").write_bytes(b"x")
    before = state(root)

    repair = repair_dataset(locate_root(root), tmp_path / "copy")

    assert repair.changes == ()
    fingerprints = {check_dataset(files).fingerprint for files in (repair.files, locate_root(root))}
    assert len(fingerprints - {None}) == 1
    assert state(root) == before
    copied = state(tmp_path / "copy")
    assert json.loads(copied.pop("changes.json")) == {"counts": {}, "changes": []}
    del before["images/unnamed.png"]
    assert copied.keys() == before.keys()
    for name in before:
        if name.endswith(".json"):
            assert json.loads(copied[name]) == json.loads(before[name])
        else:
            assert copied[name] == before[name]


def test_the_copy_is_repaired_and_says_of_what(tmp_path: Path) -> None:
    document = altered("images", 1, file_name="SUB\\B.PNG")
    document["annotations"][0]["area"] = float("nan")
    document["annotations"][1]["segmentation"] = []
    root = build(tmp_path / "set", document)
    before = state(root)
    recording = Recording()

    repair = repair_dataset(locate_root(root), tmp_path / "out" / "copy", reporter=recording)

    assert state(root) == before
    file = str(root / "annotations" / "instance_train.json")
    found = json.loads((tmp_path / "out" / "copy" / "changes.json").read_text(encoding="utf-8"))
    assert found == {
        "counts": {"file-name": 1, "area": 1},
        "changes": [
            {
                "file": file,
                "pointer": "images[1].file_name",
                "repair": "file-name",
                "before": "SUB\\B.PNG",
                "after": "sub/b.png",
            },
            {
                "file": file,
                "pointer": "annotations[0].area",
                "repair": "area",
                "before": "nan",
                "after": 400,
            },
        ],
    }
    assert repair.to_json() == {"folder": str(tmp_path / "out" / "copy"), **found}
    report = check_dataset(repair.files)
    assert [finding.code for finding in report.errors] == ["segmentation-empty"]
    assert ("Copying images", 2) in recording.tasks


def test_a_picture_with_its_rotation_switched_off_passes(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    root = build(tmp_path / "set", altered("images", 0, file_name="a.jpg"))
    Image.new("RGB", (60, 40), (200, 30, 30)).save(root / "images" / "a.jpg", exif=tags)

    assert check_dataset(locate_root(root)).verdict == "fail"
    repair = repair_dataset(locate_root(root), tmp_path / "copy")

    assert [change.repair for change in repair.changes] == ["exif-orientation"]
    assert check_dataset(repair.files).verdict == "pass"
    assert exif.orientation((root / "images" / "a.jpg").read_bytes()) == 6
    assert exif.orientation((tmp_path / "copy" / "images" / "a.jpg").read_bytes()) == 1


def test_links_become_files_of_their_own(tmp_path: Path) -> None:
    root = build(tmp_path / "set", sound())
    (root / "images" / "a.png").rename(tmp_path / "elsewhere.png")
    (root / "images" / "a.png").symlink_to(tmp_path / "elsewhere.png")

    repair_dataset(locate_root(root), tmp_path / "copy")

    copied = tmp_path / "copy" / "images" / "a.png"
    assert not copied.is_symlink()
    assert copied.read_bytes() == (tmp_path / "elsewhere.png").read_bytes()


@pytest.mark.parametrize("kind", ["folder", "file", "broken link"])
def test_what_is_there_is_not_touched(kind: str, tmp_path: Path) -> None:
    root = build(tmp_path / "set", sound())
    place = tmp_path / "copy"
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("mine", encoding="utf-8")
    else:
        place.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(OutputError, match="exists already"):
        repair_dataset(locate_root(root), place)

    assert sorted(tmp_path.rglob("*")) == before


def test_a_copy_among_the_images_is_refused(tmp_path: Path) -> None:
    root = build(tmp_path / "set", sound())
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(OutputError, match="among the images"):
        repair_dataset(locate_root(root), root / "images" / "fixed")

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b'{"images": [', "not JSON"),
        ("Äpfel".encode("latin-1"), "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "one JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"images":[' + b'{"id":' + b"[" * 900 + b"]" * 900 + b"}]}", ""),
        (b'{"a": ' + b"9" * 5000 + b"}", "4300 digits"),
    ],
    ids=["empty", "cut", "latin-1", "half", "list", "deep", "rather deep", "digits"],
)
def test_what_is_no_json_object_is_left(content: bytes, words: str, tmp_path: Path) -> None:
    root = build(tmp_path / "set", sound())
    (root / "annotations" / "instance_val.json").write_bytes(content)
    before = sorted(tmp_path.rglob("*"))

    if not words:
        repair = repair_dataset(locate_root(root), tmp_path / "copy")
        assert repair.changes == ()
        return
    with pytest.raises(DatasetError, match=words):
        repair_dataset(locate_root(root), tmp_path / "copy")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_image_that_may_not_be_read_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = build(tmp_path / "set", sound())
    before = sorted(tmp_path.rglob("*"))
    open_file = Path.open

    def refuse(path: Path, mode: str = "r", **options: Any) -> IO[Any]:  # root may read everything
        if path.name == "a.png" and mode == "rb":
            raise PermissionError(13, "Permission denied")
        return open_file(path, mode, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"cannot read a\.png: Permission denied"):
        repair_dataset(locate_root(root), tmp_path / "copy")

    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = build(tmp_path / "set", sound())
    before = sorted(tmp_path.rglob("*"))

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("segtune.repair_dataset.shutil.copyfileobj", no_space)
    with pytest.raises(OutputError, match="No space left"):
        repair_dataset(locate_root(root), tmp_path / "copy")

    assert sorted(tmp_path.rglob("*")) == before


def test_both_splits_may_be_one_file(tmp_path: Path) -> None:
    root = build(tmp_path / "set", altered("annotations", 0, area=None))
    file = root / "annotations" / "instance_train.json"

    repair = repair_dataset(SplitFiles(file, file, root / "images"), tmp_path / "copy")

    assert [change.repair for change in repair.changes] == ["area", "area"]
    written = tmp_path / "copy" / "annotations"
    assert (written / "instance_train.json").read_bytes() == (
        written / "instance_val.json"
    ).read_bytes()


def fix(root: Path, copy: Path, *options: str) -> tuple[int, str, str]:
    arguments = ["check-dataset", str(root), "--fix", str(copy), *options]
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    return shown.exit_code, shown.stdout, shown.stderr


def test_the_command_shows_changes_and_the_check_of_the_copy(tmp_path: Path) -> None:
    document = sound()
    document["annotations"] += [
        {**document["annotations"][0], "id": number, "area": 10, "category_id": 1 + number % 2}
        for number in range(10, 18)
    ]
    for number, annotation in enumerate(document["annotations"][3:]):
        annotation["segmentation"] = [[x + (number + 1) / 4 for x in annotation["segmentation"][0]]]
    root = build(tmp_path / "set", document)

    status, shown, _ = fix(root, tmp_path / "copy")

    assert status == 0
    assert "area: an area that is missing, broken or inexact is computed" in shown
    assert "(8 x)" in shown
    listed = shown.partition("8 changes, all in")[0]
    lines = [line.split() for line in listed.splitlines() if "annotations[" in line]
    assert lines[0] == ["instance_train.json,", "annotations[3].area", "10", "400"]
    assert len(lines) == 5
    assert "and 3 more" in shown
    assert f"8 changes, all in {tmp_path / 'copy' / 'changes.json'}" in shown
    assert shown.splitlines()[-1].startswith("pass: the dataset can be trained on")


def test_the_command_gives_every_change_as_json(tmp_path: Path) -> None:
    document = altered("annotations", 0, bbox=["\ud83d", [[[[[[[[[[1]]]]]]]]]]])
    root = build(tmp_path / "set", document)

    status, shown, _ = fix(root, tmp_path / "copy", "--json")

    assert status == 0
    found = json.loads(shown)
    assert found["verdict"] == "pass"
    assert found["repair"]["counts"] == {"box": 1}
    assert found["repair"]["changes"][0]["before"] == ["\\ud83d", [[[[[[["..."]]]]]]]]


def test_the_command_says_that_nothing_was_to_repair(tmp_path: Path) -> None:
    status, shown, _ = fix(draw_coco(tmp_path / "set"), tmp_path / "copy")

    assert status == 0
    assert shown.startswith(f"nothing to repair; {tmp_path / 'copy'} is a copy")


def test_the_command_refuses_and_fails_as_others_do(tmp_path: Path) -> None:
    root = build(tmp_path / "set", altered("annotations", 0, segmentation=None))
    taken = tmp_path / "taken"
    taken.mkdir()

    assert fix(root, tmp_path / "copy")[0] == 1
    status, shown, told = fix(root, taken)
    assert (status, shown) == (2, "")
    assert "exists already" in told
