"""The folder of a report: the page, and what PaddleX's check would have left."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from segtune import files
from segtune.check_dataset import DatasetReport
from segtune.data.layout import SplitFiles
from segtune.dataset_report.loose import LooseSplit
from segtune.dataset_report.paddlex import DEMO_FOLDER, FOLDER, HISTOGRAM, RESULT_FILE, write_result
from segtune.dataset_report.page import GENERATOR, render
from segtune.dataset_report.photographs import Photographs
from segtune.errors import OutputError
from segtune.progress import Reporter, SilentReporter

PAGE_FILE = "report.html"
_SILENT = SilentReporter()
_HEAD_BYTES = 4096  # of a page, in which its generator is named


def write_report(
    report: DatasetReport,
    split_files: SplitFiles,
    folder: Path,
    *,
    now: datetime | None = None,
    reporter: Reporter = _SILENT,
) -> Path:
    """Write the report of a check, whole or not at all, and return its page.

    Args:
        report: What was found.
        split_files: What was checked.
        folder: Is made; an empty folder and an earlier report are replaced.
        now: When the report is written; default: now.
        reporter: Told about everything that is drawn.

    Raises:
        OutputError: The folder holds something else, or cannot be written to.
    """
    refuse_taken(folder)
    root = split_files.images_root.resolve().parent
    splits = {
        name: LooseSplit(file, split_files.images_root)
        for name, file in (("train", split_files.train), ("val", split_files.val))
    }
    photographs = Photographs()
    with files.atomic_folder(folder, replace=True) as beside:
        result = write_result(
            beside, report, splits, photographs, name=root.name, reporter=reporter
        )
        files.write_text(
            beside / RESULT_FILE, json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        )
        page = render(
            report,
            {"train": split_files.train, "val": split_files.val},
            splits,
            photographs,
            name=root.name,
            written=now or datetime.now(),
            reporter=reporter,
        )
        files.write_text(beside / PAGE_FILE, page)
        refuse_taken(folder)  # while this was drawn, somebody may have used the place
    return folder / PAGE_FILE


def refuse_taken(folder: Path) -> None:
    """Raise OutputError for a place that holds anything but an earlier report."""
    try:
        if folder.exists() and not (folder.is_dir() and _is_free(folder)):
            raise OutputError(
                f"{folder} exists already and is not a report of ours",
                where=str(folder),
                remedy="choose another folder, or remove this one yourself",
            )
    except OSError as error:
        raise OutputError(
            f"cannot look into {folder}: {error.strerror or error}",
            where=str(folder),
            remedy="check the permissions, or choose another folder",
        ) from error


def _is_free(folder: Path) -> bool:
    """Whether a folder holds nothing that this module has not written."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    ours = {PAGE_FILE, RESULT_FILE, FOLDER, DEMO_FOLDER, HISTOGRAM}
    foreign = [
        name
        for name in found - ours
        if not (name.startswith(f"{DEMO_FOLDER}/") and name.endswith(".jpg"))
    ]
    if foreign or not found:
        return not foreign
    page = folder / PAGE_FILE
    return page.is_file() and GENERATOR.encode() in page.read_bytes()[:_HEAD_BYTES]
