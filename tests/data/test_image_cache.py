from __future__ import annotations

import os
from pathlib import Path

import pytest

from segtune.data import image_rules
from segtune.data.checks import SplitCheck, check_split
from segtune.data.image_cache import ImageFactsCache
from segtune.progress import SilentReporter
from tests.data.rules.document import draw_images, sound_document
from tests.drawing import write_json


class Listening(SilentReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def images_root(tmp_path: Path) -> Path:
    return draw_images(tmp_path)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were decoded, in order of the alphabet at the end."""
    names: list[str] = []
    read = image_rules.read_facts

    def count(path: Path) -> object:
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(image_rules, "read_facts", count)
    return names


def check(images_root: Path, reporter: SilentReporter | None = None) -> SplitCheck:
    file = write_json(images_root.parent / "instances.json", sound_document())
    cache = ImageFactsCache(images_root)
    return check_split(file, images_root, reporter=reporter or SilentReporter(), cache=cache)


def test_a_second_check_decodes_nothing_and_finds_the_same(
    images_root: Path, decoded: list[str]
) -> None:
    content = (images_root / "b.png").read_bytes()
    (images_root / "b.png").write_bytes(content[:100])

    first = check(images_root)
    assert sorted(decoded) == ["a.png", "b.png"]
    second = check(images_root)

    assert sorted(decoded) == ["a.png", "b.png"]
    assert [finding.code for finding in first.findings] == ["image-unreadable"]
    assert first.findings == second.findings


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_image_is_decoded_again(
    change: str, images_root: Path, decoded: list[str]
) -> None:
    check(images_root)
    path = images_root / "a.png"
    state = path.stat()
    if change == "size":
        path.write_bytes(path.read_bytes() + b"\0")
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    else:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))

    check(images_root)

    assert decoded[2:] == ["a.png"]


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"form": 1, "images": {"a.png": [', id="cut"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"form": 0, "images": {}}', id="of another version"),
        pytest.param(b'{"form": 1, "images": {"a.png": [1, 2]}}', id="without facts"),
        pytest.param(b"\xff", id="not text"),
    ],
)
def test_a_damaged_cache_is_an_empty_one(
    damaged: bytes, images_root: Path, decoded: list[str]
) -> None:
    check(images_root)
    ImageFactsCache(images_root).file.write_bytes(damaged)

    assert check(images_root).findings == ()
    assert len(decoded) == 4


def test_facts_of_a_wrong_kind_are_not_taken(images_root: Path, decoded: list[str]) -> None:
    check(images_root)
    file = ImageFactsCache(images_root).file
    file.write_text(file.read_text().replace('"RGB"', "7"))

    assert check(images_root).findings == ()
    assert len(decoded) == 4


def test_a_cache_that_cannot_be_written_is_mentioned_and_done_without(
    images_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGTUNE_CACHE", str(images_root / "a.png"))
    reporter = Listening()

    assert check(images_root, reporter).findings == ()
    assert reporter.said
    assert "the next check decodes the images again" in reporter.said[0]
