from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from segtune.cli.app import app


def test_skipped_images_are_not_opened_and_the_report_says_so(tiny_coco: Path) -> None:
    for image in (tiny_coco / "images").glob("*.png"):
        image.write_bytes(b"")

    shown = CliRunner().invoke(app, ["check-dataset", str(tiny_coco), "--skip-images", "--json"])

    report = json.loads(shown.stdout)
    assert shown.exit_code == 0
    assert report["verdict"] == "pass"
    skipped = [one for one in report["findings"] if one["code"] == "images-skipped"]
    assert [one["severity"] for one in skipped] == ["info", "info"]  # of train and of val
    assert CliRunner().invoke(app, ["check-dataset", str(tiny_coco)]).exit_code == 1
