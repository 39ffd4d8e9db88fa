"""Chromium without a window, driven through its command line."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

BINARY = shutil.which("chromium") or shutil.which("chromium-browser")
_PATIENCE_S = 120


def run(page: Path, profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Open a page with a fresh profile, and return what the browser wrote."""
    assert BINARY is not None, "the test is skipped without a browser"
    shutil.rmtree(profile, ignore_errors=True)
    return subprocess.run(
        [
            BINARY,
            "--headless=new",
            "--no-sandbox",  # the tests may run as root
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={profile}",
            *arguments,
            page.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=True,
    )


def console_lines(page: Path, profile: Path) -> list[str]:
    """Return what a page writes to its console, refused requests included."""
    done = run(page, profile, "--enable-logging=stderr", "--v=0", "--dump-dom")
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def probe(page: Path, profile: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
    """Return what `probe.js` finds in a page that is `width` pixels wide.

    The page is opened in a frame, since windows have a least width. What is probed is a copy,
    whose policy lets the probe run, and which does not wait with its pictures until they are seen.
    """
    script = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")
    content = page.read_text(encoding="utf-8")
    copy = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", content)
    assert copy != content, "the page has a policy for its scripts"
    copy = copy.replace('loading="lazy"', "").replace(
        "</body>", f"<script>{script}</script></body>"
    )
    frame = profile.with_suffix(".html")
    frame.write_text(
        f'<!doctype html><body><iframe srcdoc="{html.escape(copy)}" '
        f'style="width:{width}px;height:900px;border:0"></iframe>',
        "utf-8",
    )
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = run(frame, profile, "--dump-dom", *scheme)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(html.unescape(found[1]))
    return result
