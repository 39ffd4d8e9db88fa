from __future__ import annotations

import json

import pytest

from segtune.cli import console
from segtune.errors import DeviceError


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "0.0 s", id="nothing"),
        pytest.param(9.94, "9.9 s", id="short"),
        pytest.param(9.96, "10 s", id="rounded up"),
        pytest.param(59.6, "1 min 0 s", id="a minute"),
        pytest.param(3599.6, "1 h 0 min", id="an hour"),
        pytest.param(7500.0, "2 h 5 min", id="hours"),
    ],
)
def test_spans_of_time_read_as_people_say_them(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.4567, "45.7"), (0.0, "0.0"), (1.0, "100.0"), (None, "-")],
)
def test_ap_is_shown_times_100_and_a_dash_without_ground_truth(
    fraction: float | None, text: str
) -> None:
    assert console.percent(fraction) == text


def test_a_table_in_a_pipe_is_neither_cut_nor_coloured(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300

    console.show_table(["name", "AP"], [[long, "1.5"], ["[bold]b", "-"]])

    shown = capsys.readouterr()
    assert long in shown.out
    assert "[bold]b" in shown.out
    assert "\x1b" not in shown.out
    assert shown.err == ""


def test_an_empty_table_shows_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_table(["name", "AP"], [])

    assert capsys.readouterr().out.split()[:2] == ["name", "AP"]


def test_json_keeps_letters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_json({"name": "Äpfel"})

    shown = capsys.readouterr().out
    assert "Äpfel" in shown
    assert json.loads(shown) == {"name": "Äpfel"}


def test_errors_go_to_stderr_in_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.show_error(DeviceError("it is not there", where="--device", remedy="use cpu"))

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: it is not there\nwhere: --device\nfix:   use cpu\n"


def test_progress_without_a_terminal_is_a_line_at_the_end_of_short_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = console.LineReporter()
    with reporter.task("images", total=200) as task:
        for number in range(200):
            task.advance(1, loss=f"{number}")
    with reporter.task("nothing", total=0):
        reporter.say("a message")

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("images: 200/200, took ")
    assert lines[0].endswith(", loss 199")
    assert lines[1] == "a message"
    assert lines[2].startswith("nothing: 0/0, took ")


def test_progress_on_long_work_tells_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.5, 2.0, 2.1, 13.0, 20.0, 20.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))

    with console.LineReporter().task("images", total=100) as task:
        task.advance(20)  # 0.5 s: too soon
        task.advance(20)  # 2 s and 40 %
        task.advance(1)  # 2.1 s: too soon
        task.advance(1)  # 13 s: long since the last line
        task.advance(58)  # all done: the end says so

    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "images: 40/100, 3.0 s left",
        "images: 42/100, 18 s left",
        "images: 100/100, took 20 s",
    ]


def test_nested_tasks_on_a_terminal_share_one_display(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = console.TerminalReporter()
    with reporter.task("epochs", total=2) as outer:
        with reporter.task("steps", total=3) as inner:
            inner.advance(3, loss="0.5")
        outer.advance()
        reporter.say("[not markup]")

    assert reporter.num_open == 0
    assert not reporter.progress.live.is_started
    assert "[not markup]" in capsys.readouterr().err
