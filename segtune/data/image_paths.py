"""Where a stated file name leads to on disk, and which file was meant when it leads nowhere."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


class ImageFolder:
    """The folder that file names are relative to; every folder below is listed once, when needed.

    A name is compared with the names on disk letter for letter, whatever the file system forgives.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listings: dict[str, set[str]] = {}

    def has(self, name: str) -> bool:
        """Return whether there is a file of exactly this name, with "/" between folders."""
        folder, _, last = _plain(name).rpartition("/")
        return self._is_folder(folder) and last in self._listing(folder)

    def diagnose(self, name: str) -> tuple[str, str] | None:
        """Return the rule that a name breaks which is not on disk, and the name that is meant.

        None when no file is near it.
        """
        slashed = name.replace("\\", "/")
        doubled = slashed.removeprefix(f"{self.root.name}/")
        for code, candidate in (
            ("image-path-backslash", slashed),
            ("image-path-doubled", doubled),
        ):
            if candidate != name and self.has(candidate):
                return code, candidate
        found = self._nearest(_plain(slashed)) or self._nearest(_plain(doubled))
        if found is None:
            return None
        same_letters = _composed(found) == _composed(_plain(slashed))
        return ("image-path-unicode" if same_letters else "image-path-case"), found

    def _nearest(self, name: str) -> str | None:
        """Return the name on disk that differs in case and Unicode form alone, if it is the one."""
        found = ""
        for part in name.split("/"):
            listing = self._listing(found)
            if part not in listing:
                alike = [other for other in listing if _folded(other) == _folded(part)]
                if len(alike) != 1:
                    return None
                part = alike[0]
            found = f"{found}/{part}" if found else part
        return found

    def _is_folder(self, folder: str) -> bool:
        """Return whether a folder below the root is there, each part written as on disk."""
        if not folder:
            return True
        above, _, last = folder.rpartition("/")
        return self._is_folder(above) and last in self._listing(above)

    def _listing(self, folder: str) -> set[str]:
        if folder not in self._listings:
            try:
                self._listings[folder] = set(os.listdir(self.root / folder))  # noqa: PTH208
            except OSError:  # not there, a file, or not to be entered: it holds nothing to find
                self._listings[folder] = set()
        return self._listings[folder]


def normalised(name: str) -> str:
    """Return a file name in the form that is equal for all ways of writing the same path."""
    return _composed(os.path.normpath(name.replace("\\", "/")))


def _plain(name: str) -> str:
    """Return a path without "." and empty parts, and with ".." resolved."""
    return os.path.normpath(name).replace(os.sep, "/")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(name).casefold()
