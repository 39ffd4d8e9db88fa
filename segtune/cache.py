"""Where segtune keeps what it downloads."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return SEGTUNE_CACHE, or `segtune` in the user's cache folder; it need not exist."""
    chosen = os.environ.get("SEGTUNE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "segtune"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segtune"
