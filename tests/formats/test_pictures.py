from __future__ import annotations

import os
from pathlib import Path

import pytest

from segtune.formats.duplicates import identical_files
from segtune.formats.pictures import Wanted, distinct_names, put, put_again
from segtune.progress import SilentReporter


def test_names_that_are_taken_get_a_folder_then_a_number() -> None:
    wishes = [Wanted("a.png", Path(str(number)), "val") for number in range(4)]

    assert distinct_names(wishes) == ["a.png", "val/a.png", "val/a_2.png", "val/a_3.png"]


def test_case_does_not_tell_names_apart_and_one_file_keeps_one_name() -> None:
    wishes = [
        Wanted("a.png", Path("1"), None),
        Wanted("A.PNG", Path("2"), None),
        Wanted("a.png", Path("1"), None),
    ]

    assert distinct_names(wishes) == ["a.png", "A_2.PNG", "a.png"]
    assert distinct_names([]) == []


def test_names_by_stem_differ_without_their_suffix() -> None:
    wishes = [Wanted("a.png", Path("1"), None), Wanted("a.jpg", Path("2"), None)]

    assert distinct_names(wishes) == ["a.png", "a.jpg"]
    assert distinct_names(wishes, by_stem=True) == ["a.png", "a_2.jpg"]


def test_pictures_are_copied_linked_or_written(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"picture")

    put(source, tmp_path / "copy" / "a.png", link=False)
    put(source, tmp_path / "link" / "a.png", link=True)
    put(b"content", tmp_path / "written.png", link=True)

    assert (tmp_path / "copy" / "a.png").read_bytes() == b"picture"
    assert not (tmp_path / "copy" / "a.png").samefile(source)
    assert (tmp_path / "link" / "a.png").stat().st_nlink == 2
    assert (tmp_path / "written.png").read_bytes() == b"content"


def test_without_hard_links_there_are_symbolic_ones_and_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = tmp_path / "a.png"
    source.write_bytes(b"picture")

    put(source, tmp_path / "link" / "a.png", link=True)
    put_again(source, tmp_path / "again" / "a.png")

    assert (tmp_path / "link" / "a.png").is_symlink()
    assert (tmp_path / "link" / "a.png").read_bytes() == b"picture"
    assert not (tmp_path / "again" / "a.png").is_symlink()
    assert (tmp_path / "again" / "a.png").read_bytes() == b"picture"


def test_files_are_the_same_by_content_alone(tmp_path: Path) -> None:
    contents = [b"one", b"two", b"one", b"three", b"two", b"one"]
    paths = []
    for number, content in enumerate(contents):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(content)

    assert identical_files(paths, reporter=SilentReporter()) == [[0, 2, 5], [1, 4]]
    assert identical_files([], reporter=SilentReporter()) == []
