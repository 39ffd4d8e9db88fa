"""What tests of several modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drawing import draw_coco


@pytest.fixture
def tiny_coco(tmp_path: Path) -> Path:
    """Root of a drawn COCO dataset: six training and three validation images of 96 x 128."""
    return draw_coco(tmp_path / "tiny")
