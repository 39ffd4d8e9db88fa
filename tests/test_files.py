from pathlib import Path

import pytest

from segtune.errors import OutputError
from segtune.files import _swap, atomic_folder, atomic_path, write_text


def test_a_written_file_is_whole_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "note.txt", "grün")

    assert (tmp_path / "deep" / "note.txt").read_text(encoding="utf-8") == "grün"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["note.txt"]


def test_a_failure_leaves_the_old_file_and_no_part_of_the_new(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("old")

    def write_half() -> None:
        with atomic_path(file) as beside:
            beside.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_half()

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("note.txt", "old")]


def test_a_folder_appears_when_its_block_ends(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "bundle") as beside:
        (beside / "a").write_text("1")
        assert not (tmp_path / "bundle").exists()

    assert (tmp_path / "bundle" / "a").read_text() == "1"


def test_an_existing_folder_is_left_alone_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "mine").write_text("1")

    with pytest.raises(OutputError, match="exists already"), atomic_folder(tmp_path / "bundle"):
        pass
    assert (tmp_path / "bundle" / "mine").exists()

    with atomic_folder(tmp_path / "bundle", replace=True) as beside:
        (beside / "new").write_text("2")
    assert [path.name for path in tmp_path.rglob("*")] == ["bundle", "new"]


def test_a_folder_that_another_process_makes_meanwhile_is_left_alone(tmp_path: Path) -> None:
    def write_beside() -> None:
        with atomic_folder(tmp_path / "bundle") as beside:
            (beside / "late").write_text("2")
            (tmp_path / "bundle").mkdir()
            (tmp_path / "bundle" / "first").write_text("1")

    with pytest.raises(OutputError, match="exists already"):
        write_beside()

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["bundle", "first"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "old").write_text("1")

    with pytest.raises(FileNotFoundError):
        _swap(tmp_path / "absent", tmp_path / "best")

    assert [path.name for path in tmp_path.rglob("*")] == ["best", "old"]


def test_a_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with atomic_folder(tmp_path / "bundle") as beside:
            (beside / "a").write_text("1")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_half()

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_no_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError) as caught:
        write_text(tmp_path / "file" / "note.txt", "")

    assert str(tmp_path / "file" / "note.txt") in str(caught.value)
