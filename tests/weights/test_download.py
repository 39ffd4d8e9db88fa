from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from segtune.errors import OutputError, WeightsError
from segtune.progress import SilentReporter, SilentTask, Task
from segtune.weights import fetch_weights
from segtune.zoo import ModelSpec, find_spec

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes: more than one read


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT as the server's `habits` say."""

    server: FileServer

    def do_GET(self) -> None:
        habits = self.server.habits
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        start = int(asked[6:-1]) if asked and "ignores ranges" not in habits else 0
        if "answers 404" in habits:
            self.send_error(404)
            return
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.end_headers()
            return
        rest = CONTENT[start:]
        self.send_response(206 if start else 200)
        if "hides the size" not in habits:
            claimed = len(rest) + (1000 if "promises too much" in habits else 0)
            self.send_header("Content-Length", str(claimed))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        is_cut = "always cuts" in habits or ("cuts once" in habits and len(self.server.ranges) == 1)
        self.wfile.write(rest[:100_000] if is_cut else rest)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""


class FileServer(ThreadingHTTPServer):
    habits: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []

    def spec(self) -> ModelSpec:
        """A row of the zoo whose weights lie on this server."""
        url = f"http://127.0.0.1:{self.server_address[1]}/x/weights.pdparams?v=1"
        return replace(find_spec("PP-YOLOE_seg-S"), weights_url=url)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.delenv("SEGTUNE_OFFLINE", raising=False)
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Counter(SilentReporter):
    """Counts the bytes of each task and keeps what is said."""

    def __init__(self) -> None:
        self.bytes: list[int] = []
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Task]:
        assert (title, total) == ("weights.pdparams (bytes)", len(CONTENT))
        self.bytes.append(0)
        yield CountingTask(self)


class CountingTask(SilentTask):
    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def advance(self, count: int = 1, **fields: str) -> None:
        self.counter.bytes[-1] += count


def test_a_file_is_fetched_once(server: FileServer, tmp_path: Path) -> None:
    counter = Counter()

    first = fetch_weights(server.spec(), cache=tmp_path / "new", reporter=counter)
    second = fetch_weights(server.spec(), cache=tmp_path / "new")

    assert first == second == tmp_path / "new/weights.pdparams"
    assert first.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert counter.bytes == [len(CONTENT)]
    assert list(first.parent.iterdir()) == [first]


def test_the_cache_follows_the_environment(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGTUNE_CACHE", str(tmp_path))

    assert fetch_weights(server.spec()) == tmp_path / "weights/weights.pdparams"


def test_a_broken_connection_is_continued(server: FileServer, tmp_path: Path) -> None:
    server.habits = ("cuts once",)
    counter = Counter()

    path = fetch_weights(server.spec(), cache=tmp_path, reporter=counter)

    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]
    assert counter.bytes == [100_000, len(CONTENT)]
    assert counter.said == ["the connection broke; continuing the download"]


def test_a_later_process_continues_what_an_earlier_one_left(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "weights.pdparams.part").write_bytes(CONTENT[:300_000])

    assert fetch_weights(server.spec(), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=300000-"]


def test_a_whole_file_that_was_not_renamed_is_kept(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "weights.pdparams.part").write_bytes(CONTENT)

    assert fetch_weights(server.spec(), cache=tmp_path).read_bytes() == CONTENT


def test_an_unfinished_file_longer_than_the_real_one_is_thrown_away(
    server: FileServer, tmp_path: Path
) -> None:
    (tmp_path / "weights.pdparams.part").write_bytes(CONTENT + b"more")

    assert fetch_weights(server.spec(), cache=tmp_path).read_bytes() == CONTENT


def test_a_server_without_ranges_begins_anew(server: FileServer, tmp_path: Path) -> None:
    server.habits = ("ignores ranges",)
    (tmp_path / "weights.pdparams.part").write_bytes(b"\xff" * 300_000)

    assert fetch_weights(server.spec(), cache=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("habit", "message"),
    [
        ("promises too much", "the connection broke 4 times"),
        ("answers 404", "the server answered 404"),
        ("hides the size", "does not say how large"),
    ],
)
def test_a_file_that_cannot_be_had_whole_never_gets_its_name(
    server: FileServer, tmp_path: Path, habit: str, message: str
) -> None:
    server.habits = (habit, "ignores ranges")

    with pytest.raises(WeightsError, match=message) as caught:
        fetch_weights(server.spec(), cache=tmp_path)

    assert caught.value.where == str(tmp_path / "weights.pdparams")
    assert caught.value.remedy is not None
    assert "--from-scratch" in caught.value.remedy
    assert not (tmp_path / "weights.pdparams").exists()


def test_what_came_before_the_connection_died_is_kept(server: FileServer, tmp_path: Path) -> None:
    server.habits = ("always cuts",)

    with pytest.raises(WeightsError, match="broke 4 times"):
        fetch_weights(server.spec(), cache=tmp_path)

    assert (tmp_path / "weights.pdparams.part").read_bytes() == CONTENT[:400_000]


def test_without_network_the_error_says_where_the_file_belongs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(find_spec("PP-YOLOE_seg-S"), weights_url="http://127.0.0.1:9/w.pdparams")
    monkeypatch.setenv("SEGTUNE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="SEGTUNE_OFFLINE is set") as offline:
        fetch_weights(spec, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()

    monkeypatch.setenv("SEGTUNE_OFFLINE", "0")
    with pytest.raises(WeightsError, match="no connection"):
        fetch_weights(spec, cache=tmp_path / "cache")

    assert offline.value.where == str(tmp_path / "cache/w.pdparams")
    (tmp_path / "cache/w.pdparams").write_bytes(b"brought by hand")
    assert fetch_weights(spec, cache=tmp_path / "cache").read_bytes() == b"brought by hand"


def test_two_at_once_download_one_file(server: FileServer, tmp_path: Path) -> None:
    paths: list[Path] = []
    threads = [
        threading.Thread(target=lambda: paths.append(fetch_weights(server.spec(), cache=tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [path.read_bytes() == CONTENT for path in paths] == [True] * 4
    assert list(tmp_path.iterdir()) == [tmp_path / "weights.pdparams"]


def test_a_cache_that_cannot_be_written_is_an_error(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="cannot keep the weights"):
        fetch_weights(server.spec(), cache=tmp_path / "file")
