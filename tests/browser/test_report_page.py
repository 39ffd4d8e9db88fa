"""Tests of the report's page in a browser; skipped where there is no Chromium."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segtune.check_dataset import check_dataset
from segtune.data.layout import locate_root
from segtune.dataset_report.folder import write_report
from tests.browser import chromium
from tests.dataset_report.defects import draw_defective
from tests.drawing import draw_coco

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        chromium.BINARY is None, reason="no chromium; on Debian: apt-get install chromium"
    ),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a sound dataset and of one with twenty kinds of defects."""
    place = tmp_path_factory.mktemp("pages")
    roots = {
        "sound": draw_coco(place / "sound", classes=["disc", "s" * 200]),
        "defective": draw_defective(place / "defective"),
    }
    found = {}
    for name, root in roots.items():
        files = locate_root(root)
        found[name] = write_report(check_dataset(files), files, place / f"{name} report")
    return found


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("sound", 375, False),
        ("sound", 1280, True),
        ("defective", 375, True),
        ("defective", 1280, False),
    ],
)
def test_a_page_fits_its_width_and_reads_well(
    pages: dict[str, Path], tmp_path: Path, name: str, width: int, dark: bool
) -> None:
    found = chromium.probe(pages[name], tmp_path / "profile", width, dark=dark)

    assert (found["width"], found["dark"]) == (width, dark)
    assert found["scrollWidth"] <= width
    assert found["wide"] == []
    assert found["images"] >= 4
    assert (found["broken"], found["withoutAlt"]) == ([], 0)
    assert found["headings"][0] == 1
    steps = zip(found["headings"], found["headings"][1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert found["landmarks"] == ["header", "nav", "main", "footer"]
    assert found["resources"] == []
    assert found["texts"] > 60
    assert found["faint"] == []
    assert found["smallest"] >= 10.5
    assert not found["title"].startswith("owned")


def test_the_probe_sees_what_a_bad_page_has(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"script-src 'none'\">"
        "<body style='background: #fff'><h1>a</h1><h3 style='color: #999'>faint</h3>"
        "<div style='width: 700px'>wide</div><img src='data:image/webp;base64,AAAA'>"
        "<img alt='elsewhere' src='http://127.0.0.1:9/nowhere.png'></body>"
    )

    found = chromium.probe(page, tmp_path / "profile", 375)

    assert found["scrollWidth"] > 375
    assert len(found["broken"]) == 2
    assert (found["withoutAlt"], found["headings"]) == (1, [1, 3])
    assert [each["text"] for each in found["faint"]] == ["faint"]
    assert found["resources"] == ["http://127.0.0.1:9/nowhere.png"]


def test_the_console_stays_empty(pages: dict[str, Path], tmp_path: Path) -> None:
    for page in pages.values():
        assert chromium.console_lines(page, tmp_path / "profile") == []


def test_the_console_of_a_page_that_asks_for_more_is_not_empty(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('here')</script>")

    assert len(chromium.console_lines(page, tmp_path / "profile")) == 1


def test_a_page_is_printed_whole(pages: dict[str, Path], tmp_path: Path) -> None:
    sheets = {}
    for name, page in pages.items():
        printed = tmp_path / f"{name}.pdf"
        chromium.run(page, tmp_path / "profile", f"--print-to-pdf={printed}")
        sheets[name] = len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes()))

    assert 2 <= sheets["sound"] <= 5
    assert sheets["sound"] < sheets["defective"] <= 20
