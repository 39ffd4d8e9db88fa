from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from segtune import fonts
from segtune.fonts import MissingGlyphs, font_for


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without fonts of its own, in a process that has told nothing yet."""
    fonts._place_with.cache_clear()
    fonts._told().clear()
    monkeypatch.setattr(fonts, "_system_fonts", lambda: ())
    monkeypatch.delenv(fonts.FONT_VARIABLE, raising=False)


def font_with(path: Path, characters: str) -> Path:
    """Write a font that has a square for each of `characters`, and nothing else."""
    pen = TTGlyphPen(None)
    for index, corner in enumerate([(0, 0), (0, 700), (700, 700), (700, 0)]):
        (pen.lineTo if index else pen.moveTo)(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"g{ord(each)}" for each in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(each): f"g{ord(each)}" for each in characters})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (750, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return path


@pytest.mark.parametrize("text", ["lamp 0.50", "Äpfel 0.99", "λάμπα", "лампа", ""])
def test_most_alphabets_are_written_with_the_font_that_comes_along(text: str) -> None:
    font, written = font_for(text, 20)

    assert (font.getname()[0], written) == ("DejaVu Sans", text)


def test_characters_without_a_font_become_codes_and_are_told_once() -> None:
    with pytest.warns(MissingGlyphs, match="fonts-noto-cjk"):
        _, written = font_for("猫 0.50", 20)
    _, again = font_for("犬 0.50", 20)  # a second warning would be an error

    assert (written, again) == ("\\u732b 0.50", "\\u72ac 0.50")


def test_a_font_of_the_system_that_has_the_characters_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = font_with(tmp_path / "a.ttf", "abc")
    having = font_with(tmp_path / "b.ttf", "猫 05.")
    (tmp_path / "c.ttf").write_text("no font")
    monkeypatch.setattr(fonts, "_system_fonts", lambda: (tmp_path / "c.ttf", without, having))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        font, written = font_for("猫 0.50", 20)

    assert (font.path, written) == (str(having), "猫 0.50")


def test_a_chosen_font_goes_before_all_others_where_it_has_the_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = font_with(tmp_path / "a.ttf", "abc")
    monkeypatch.setenv(fonts.FONT_VARIABLE, str(chosen))

    assert font_for("cab", 20)[0].path == str(chosen)
    assert font_for("dab", 20)[0].getname()[0] == "DejaVu Sans"


def test_the_usual_font_lies_where_matplotlib_keeps_it() -> None:
    assert fonts._usual_font().is_file()
    assert ord("A") in fonts._characters(fonts._usual_font())
