from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from segtune import downloads
from segtune.errors import ImageError
from segtune.images import write_image
from segtune.inputs import ImageInput, find_inputs

GREY = np.full((4, 6, 3), 128, np.uint8)


def _draw(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, GREY)


def test_files_folders_and_globs_are_found_once_each(tmp_path: Path) -> None:
    _draw(tmp_path / "a" / "x.png", tmp_path / "a" / "deep" / "y.jpg", tmp_path / "b" / "z.png")

    found = find_inputs([str(tmp_path / "a" / "x.png"), str(tmp_path / "a"), f"{tmp_path}/b/*.png"])

    assert [Path(image.place).name for image in found] == ["x.png", "y.jpg", "z.png"]


def test_pictures_of_equal_stem_get_results_of_different_names(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a/x.png", "a/x.jpg", "b/X.png", "c/x-2.png")]
    _draw(*paths)

    found = find_inputs([str(path) for path in paths])

    assert [image.result_name for image in found] == ["x", "x-2", "X-3", "x-2-2"]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    for names in ([], [str(tmp_path / "no.png")], [str(tmp_path)], [f"{tmp_path}/*.png"]):
        with pytest.raises(ImageError):
            find_inputs(names)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        pytest.param("http://host/a%20b.png?size=3", "a b", id="query and escapes"),
        pytest.param("HTTPS://host/", "picture", id="no path"),
        pytest.param("http://host/..%2F..%2Fetc", "etc", id="no way out of the folder"),
        pytest.param("http://host/a%5Cb.png", "a_b", id="backslash"),
        pytest.param("http://host/a%00b.png", "a_b", id="zero byte"),
    ],
)
def test_the_results_of_a_url_have_a_safe_name(url: str, name: str) -> None:
    (found,) = find_inputs([url])

    assert found == ImageInput(url, name)
    assert found.is_url


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ImageError, match="no address of a picture"):
        find_inputs(["http://[host/a.png"])


@pytest.mark.parametrize("place", ["file:///etc/hosts", "ftp://host/a.png", "rtsp://host/1"])
def test_other_schemes_than_http_are_refused(place: str) -> None:
    with pytest.raises(ImageError, match="http and https addresses only"):
        find_inputs([place])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of a web server on this machine that serves `tmp_path`."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_url_is_downloaded(tmp_path: Path, server: str) -> None:
    _draw(tmp_path / "x.png")

    np.testing.assert_array_equal(next(ImageInput(f"{server}/x.png", "x").pictures()).image, GREY)


def test_a_download_that_is_no_picture_or_fails_or_is_too_large_is_refused(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.html").write_text("<html>", encoding="utf-8")
    _draw(tmp_path / "x.png")
    refused = {
        f"{server}/page.html": "not a picture",
        f"{server}/absent.png": "the download failed: HTTP Error 404",
        "http://127.0.0.1:1/x.png": r"failed: \[Errno \d+\] Connection refused$",
        "http://[bad/x.png": "the download failed",
    }

    for url, words in refused.items():
        with pytest.raises(ImageError) as caught:
            next(ImageInput(url, "x").pictures())
        assert re.search(words, caught.value.problem)
    monkeypatch.setattr(downloads, "MAX_BYTES", 8)
    with pytest.raises(ImageError, match="larger"):
        next(ImageInput(f"{server}/x.png", "x").pictures())
