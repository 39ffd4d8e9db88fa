"""The EXIF orientation of a JPEG, read and switched off without touching its pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_START_OF_IMAGE = b"\xff\xd8"
_START_OF_SCAN = 0xDA
_APP1 = 0xE1
_STANDALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length
_HEADER = b"Exif\0\0"
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION = 0x0112
_SHORT = 3
_ENTRY_BYTES = 12


@dataclass(frozen=True)
class _Tag:
    offset: int
    """Of the value, from the beginning of the file."""
    order: str
    value: int


def orientation(content: bytes) -> int:
    """Return the EXIF orientation, 1 to 8, of the JPEG in `content`; 1 when it states none."""
    tag = _find(content)
    return 1 if tag is None else tag.value


def without_orientation(content: bytes) -> bytes | None:
    """Return a JPEG that is shown as it is stored: the same bytes with orientation 1.

    None for what is no JPEG or states no orientation in its EXIF block.
    """
    tag = _find(content)
    if tag is None:
        return None
    upright = struct.pack(f"{tag.order}H", 1)
    return content[: tag.offset] + upright + content[tag.offset + len(upright) :]


def _find(content: bytes) -> _Tag | None:
    tiff = _find_tiff(content)
    if tiff is None:
        return None
    start, end = tiff
    order = _ORDERS.get(content[start : start + 4])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(f"{order}I", content, start + 4)
        (count,) = struct.unpack_from(f"{order}H", content, start + first)
        for entry in range(count):
            offset = start + first + 2 + entry * _ENTRY_BYTES
            if offset + _ENTRY_BYTES > end:
                return None
            code, kind, number, value = struct.unpack_from(f"{order}HHIH", content, offset)
            if (code, kind, number) == (_ORIENTATION, _SHORT, 1):
                return _Tag(offset + 8, order, value) if 1 <= value <= 8 else None
    except struct.error:  # an offset beyond the end
        return None
    return None


def _find_tiff(content: bytes) -> tuple[int, int] | None:
    """Return where the TIFF block inside the first Exif segment begins and ends."""
    if not content.startswith(_START_OF_IMAGE):
        return None
    position = len(_START_OF_IMAGE)
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        if marker in _STANDALONE:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", content, position + 2)
        data, end = position + 4, position + 2 + length
        if marker == _APP1 and content.startswith(_HEADER, data):
            return data + len(_HEADER), end
        if marker == _START_OF_SCAN:
            return None
        position = end
    return None
