r"""Fonts that have the characters of a class name, found on this machine; nothing is downloaded.

DejaVu Sans comes with matplotlib and has Latin, Greek, Cyrillic and more. For Chinese, Japanese,
Korean and others, the fonts of the system are looked through. What no font has is written as its
code, such as \u732b, rather than as an empty box.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont, TTLibError
from PIL import ImageFont

FONT_VARIABLE = "SEGTUNE_FONT"
_LIKED = (  # parts of file names, the best for short labels first
    *("notosanscjk", "notosanssc", "sourcehansans", "wqy", "droidsansfallback", "pingfang"),
    *("hiragino", "msyh", "simhei", "yugoth", "malgun", "applesdgothic", "notosans", "arialuni"),
)
_FACE_WITH_SIMPLIFIED = " SC"  # in the family name of a collection's face


class MissingGlyphs(UserWarning):
    """No font of this machine has some characters of a class name."""


def font_for(text: str, size_px: int) -> tuple[ImageFont.FreeTypeFont, str]:
    """Return a font that has every character of `text`, and the text to write with it.

    Where no font has all of it, the text has codes in place of the characters that the usual font
    lacks; the first time, a MissingGlyphs warning tells what to install.
    """
    place = _place_with(frozenset(text) - {" "})
    if place is not None:
        return _opened(*place, size_px), text
    _warn_once(text)
    usual = _usual_font()
    has = _characters(usual)
    escaped = "".join(each if ord(each) in has else _code(each) for each in text)
    return _opened(usual, 0, size_px), escaped


@lru_cache(maxsize=4096)
def _place_with(characters: frozenset[str]) -> tuple[Path, int] | None:
    """Return file and face of the first font that has all characters."""
    wanted = {ord(each) for each in characters}
    for path in _candidates():
        if wanted <= _characters(path):
            return path, _face(path)
    return None


def _candidates() -> Iterator[Path]:
    """Yield font files: the user's choice, the usual one, then those of the system."""
    chosen = os.environ.get(FONT_VARIABLE)
    if chosen:
        yield Path(chosen)
    yield _usual_font()
    yield from _system_fonts()


@cache
def _usual_font() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"


@cache
def _system_fonts() -> tuple[Path, ...]:
    """Return the fonts of the system, well-known ones first and bold ones before others."""
    from matplotlib.font_manager import findSystemFonts

    def rank(path: Path) -> tuple[int, bool, str]:
        name = path.stem.lower().replace("-", "").replace("_", "")
        liked = next((place for place, part in enumerate(_LIKED) if part in name), len(_LIKED))
        return liked, "bold" not in name, str(path)

    return tuple(sorted(map(Path, findSystemFonts()), key=rank))


@lru_cache(maxsize=512)
def _characters(path: Path) -> frozenset[int]:
    """Return the code points that a font file has glyphs for; none if it cannot be read."""
    try:
        with path.open("rb") as stream, TTFont(stream, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (OSError, TTLibError, KeyError, ValueError, AssertionError):
        return frozenset()


@cache
def _face(path: Path) -> int:
    """Return the face of a collection that has simplified Chinese forms, else the first."""
    if path.suffix.lower() not in (".ttc", ".otc"):
        return 0
    try:
        with path.open("rb") as stream, TTCollection(stream, lazy=True) as collection:
            names = [str(font["name"].getDebugName(1)) for font in collection.fonts]
    except (OSError, TTLibError, KeyError):
        return 0
    return next((i for i, name in enumerate(names) if name.endswith(_FACE_WITH_SIMPLIFIED)), 0)


@lru_cache(maxsize=64)
def _opened(path: Path, face: int, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size_px, index=face)


def _code(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")


@cache
def _told() -> list[str]:
    """Return what the warning has been given for, in this process."""
    return []


def _warn_once(text: str) -> None:
    if _told():
        return
    _told().append(text)
    warnings.warn(
        f"no font on this machine has all characters of {text!r}, so codes are written for them; "
        f"install one, such as the package fonts-noto-cjk, or set {FONT_VARIABLE} to a font file",
        MissingGlyphs,
        stacklevel=3,
    )
