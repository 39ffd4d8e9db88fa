from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from segtune.check_dataset import DatasetReport
from segtune.cli import dataset_summary
from segtune.data.findings import Finding
from segtune.data.statistics import SplitStatistics
from tests.drawing import draw_coco


def statistics(instances_per_class: dict[str, int]) -> SplitStatistics:
    return SplitStatistics(4, 9, 1, 2, instances_per_class, {}, {})


def report(*findings: Finding, classes: dict[str, int] | None = None) -> DatasetReport:
    train = statistics({"date": 5, "fig": 4} if classes is None else classes)
    return DatasetReport(findings, {"train": train, "val": statistics({"fig": 3})}, None)


ERROR = Finding("box-type", "error", 5, ("f, a[0]", "f, a[1]", "f, a[2]", "f, a[3]"), "m", "r")
WARNING = Finding("box-beyond-edge", "warning", 1, ("f, annotations[7].bbox",), "too far", "cut it")


def test_a_pipe_gets_plain_text_with_the_verdict_last(capsys: pytest.CaptureFixture[str]) -> None:
    dataset_summary.show(report(ERROR, WARNING), Path("out/report.html"))

    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in "".join(lines)
    assert lines[-1] == "fail: the dataset has 5 errors and 1 warning"
    assert lines[-2] == "report: out/report.html"
    start = lines.index("error: m (5 x box-type)")
    assert lines[start + 1 : start + 7] == [
        "where: f, a[0]",
        "       f, a[1]",
        "       f, a[2]",
        "       and 2 more",
        "fix:   r",
        "",
    ]
    assert lines[start + 7] == "warning: too far (1 x box-beyond-edge)"


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ((), "pass: the dataset can be trained on"),
        ((WARNING,), "pass: the dataset can be trained on; it has 1 warning"),
    ],
)
def test_a_dataset_that_passes_says_so(
    capsys: pytest.CaptureFixture[str], findings: tuple[Finding, ...], verdict: str
) -> None:
    dataset_summary.show(report(*findings), None)

    assert capsys.readouterr().out.splitlines()[-1] == verdict


def test_classes_have_the_counts_of_both_splits(capsys: pytest.CaptureFixture[str]) -> None:
    dataset_summary.show(report(), None)

    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["class", "train", "val"] in rows
    assert rows.index(["fig", "4", "3"]) < rows.index(["date", "5", "0"])
    assert ["images", "4", "4"] in rows
    assert ["crowd", "regions", "2", "2"] in rows


def test_of_a_thousand_classes_the_largest_twenty_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    classes = {f"class{number}": number for number in range(1000)}

    dataset_summary.show(report(classes={**classes, "fig": 2000}), None)

    shown = capsys.readouterr().out
    assert "and 981 more classes" in shown
    assert "class999" in shown
    assert "class980" not in shown


def test_names_stay_on_their_line_and_do_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset_summary.show(report(classes={"a\n\x1b[31mb": 1, "x" * 300: 1}), None)

    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"a\n\x1b[31mb" in shown
    assert f"{'x' * 57}... " in shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_narrow_terminal_folds_places_under_themselves_in_colour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    place = f"/{'long/' * 12}instance_train.json, annotations[7].bbox"

    dataset_summary.show(
        report(Finding("box-type", "error", 1, (place,), "wrong", "mend it")), None
    )

    lines = [line.rstrip() for line in terminal.getvalue().splitlines()]
    assert "\x1b[1;31merror: \x1b[0mwrong (1 x box-type)" in lines
    start = next(number for number, line in enumerate(lines) if "where: " in line)
    end = next(number for number, line in enumerate(lines) if "fix:   " in line)
    first, *others = lines[start:end]
    assert all(line.startswith(" " * 7) and len(line) <= 40 for line in others)
    folded = [first.partition("\x1b[0m")[2], *(line[7:] for line in others)]
    assert "".join(folded).replace(",annotations", ", annotations") == place


def test_the_command_writes_a_report_without_paddle(tmp_path: Path) -> None:
    root = draw_coco(tmp_path / "set", train=2, val=2)
    script = (
        "import sys\n"
        "from segtune.cli.app import main\n"
        f"sys.argv = ['segtune', 'check-dataset', {str(root)!r}, '--json', '--report', 'out']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
        "assert 'paddle' not in sys.modules\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "pass"
    assert done.stderr.splitlines()[-1] == f"report: {Path('out') / 'report.html'}"
    assert (tmp_path / "out" / "check_dataset_result.json").is_file()
