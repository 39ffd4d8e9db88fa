"""Pictures of a kind that segtune, or another tool, shows differently from what was annotated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segtune.data.findings import FindingLog
from segtune.data.image_facts import ImageFacts
from segtune.data.structure_rules import ImageEntry

_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")
_PRINT_MODES = ("CMYK", "YCCK")
_SUFFIXES = {
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}


def check_image_kinds(
    entries: Sequence[ImageEntry], facts: Sequence[ImageFacts | None], log: FindingLog
) -> None:
    """Note what is unusual about pictures that can be decoded."""
    decoded = [(entry, fact) for entry, fact in zip(entries, facts, strict=True) if fact]
    for entry, fact in decoded:
        for code, detail in _kinds(entry, fact):
            log.add(code, entry.pointer, f"{entry.path.name}{detail}")
    grey = [entry for entry, fact in decoded if fact.mode in _GREY_MODES]
    colour = [entry for entry, fact in decoded if fact.mode and fact.mode not in _GREY_MODES]
    if grey and colour:
        fewer, kind = (grey, "grey") if len(grey) <= len(colour) else (colour, "colour")
        for entry in fewer:
            log.add("image-grey-mixed", entry.pointer, f"{entry.path.name} is {kind}")


def _kinds(entry: ImageEntry, fact: ImageFacts) -> Iterator[tuple[str, str]]:
    """Yield codes and details of one picture."""
    if fact.bits > 8:
        yield "image-sixteen-bit", f" has {fact.bits} bits"
    if fact.mode in _PRINT_MODES:
        yield "image-cmyk", ""
    if fact.num_frames > 1:
        yield "image-animated", f" has {fact.num_frames} pictures"
    if fact.is_see_through:
        yield "image-see-through", ""
    if fact.mode in ("P", "PA"):
        yield "image-palette", ""
    suffix = entry.path.suffix.lower()
    if suffix not in _SUFFIXES.get(fact.format, (suffix,)):
        yield "image-suffix", f" is {fact.format}"
