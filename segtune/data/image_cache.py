"""What was found out about image files, kept on disk until a file changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from segtune.cache import cache_folder
from segtune.data.image_facts import ImageFacts
from segtune.errors import OutputError
from segtune.files import write_text
from segtune.progress import Reporter

_FORM = 1  # to be counted up when ImageFacts, or how one of its values is made, changes


class ImageFactsCache:
    """The facts of the images below one folder, by path, size and time stamp.

    Everything in it can be found out anew: a missing or damaged file is an empty cache, and may be
    deleted at any time.
    """

    def __init__(self, images_root: Path) -> None:
        self._given_root = images_root
        self._root = images_root.resolve()
        name = hashlib.sha256(str(self._root).encode("utf-8", "surrogateescape")).hexdigest()
        self.file = cache_folder() / "images" / f"{name[:32]}.json"
        self._known = self._read()
        self._has_news = False

    def find(self, path: Path, size_bytes: int, changed_ns: int) -> ImageFacts | None:
        """Return the facts of a file that has still this size and time of its last change."""
        entry = self._known.get(self._key(path))
        if entry is None or entry[:2] != [size_bytes, changed_ns]:
            return None
        try:
            return ImageFacts.from_json(entry[2])
        except (IndexError, TypeError, ValueError):
            return None

    def keep(self, path: Path, size_bytes: int, changed_ns: int, facts: ImageFacts) -> None:
        """Remember the facts of a file; `save` puts them on disk."""
        self._known[self._key(path)] = [size_bytes, changed_ns, facts.to_json()]
        self._has_news = True

    def save(self, reporter: Reporter) -> None:
        """Write what is new. A cache that cannot be written is mentioned and done without."""
        if not self._has_news:
            return
        content = {"form": _FORM, "root": str(self._root), "images": self._known}
        try:
            write_text(self.file, json.dumps(content))
        except OutputError as error:
            reporter.say(f"the next check decodes the images again: {error.problem}")

    def _key(self, path: Path) -> str:
        return path.relative_to(self._given_root).as_posix()

    def _read(self) -> dict[str, list[Any]]:
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        is_ours = isinstance(content, dict) and content.get("form") == _FORM
        images = content.get("images") if is_ours else None
        if not isinstance(images, dict):
            return {}
        return {path: entry for path, entry in images.items() if isinstance(entry, list)}
