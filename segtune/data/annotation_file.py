"""The JSON document of an annotation file, read fast where it is a plain COCO file.

msgspec finds the entries of the three lists without decoding them, in a tenth of the time and
memory that Python objects of all would take. What it declines, or what is no COCO file at a first
look, is read by `json`, which says what is wrong and accepts a little more (NaN, halves of
surrogate pairs).
"""

from __future__ import annotations

import codecs
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from segtune.data.findings import FindingLog, Note, quote

UNREADABLE = object()
_UTF8_BLOCK = 1 << 24


class _CocoFile(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw]


def read_document(log: FindingLog) -> dict[str, Any] | None:
    """Return the JSON object in the file of `log`, or None after noting what is wrong with it.

    Entries of its lists may be `msgspec.Raw`; `read_value` gives their values.
    """
    content = _read_content(log)
    if content is None:
        return None
    return _find_entries(content) or _read_with_json(content, log)


def read_value(entry: Any, pointer: str, note: Note) -> Any:
    """Return the value of an entry of a document; UNREADABLE after noting why it has none."""
    if type(entry) is not msgspec.Raw:
        return entry
    try:
        return msgspec.json.decode(entry)
    except (msgspec.DecodeError, RecursionError):
        pass  # perhaps a number beyond all floats, which `json` takes for infinite
    try:
        return json.loads(bytes(entry))
    except RecursionError:
        note("json-nesting", pointer)
    except ValueError as error:  # a number of more digits than Python converts
        note("json-broken", pointer, str(error))
    return UNREADABLE


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the search for reference cycles while millions of objects without any are made.

    Measured: json.loads of 50 MB of annotations takes 0.6 s, with the collector running 1.5 s.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read_content(log: FindingLog) -> bytes | None:
    try:
        return log.file.read_bytes().removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError:
        log.add("file-missing")
    except OSError as error:
        log.add("file-unreadable", detail=error.strerror or str(error))
    return None


def _find_entries(content: bytes) -> dict[str, Any] | None:
    """Return the lists of a COCO file; None for anything that `json` has to look at."""
    try:
        found = msgspec.json.decode(content, type=_CocoFile)
    except (msgspec.DecodeError, RecursionError):
        return None
    # msgspec passes over the bytes of entries without decoding their text.
    if not _is_utf8(content):
        return None
    return {
        "images": found.images,
        "annotations": found.annotations,
        "categories": found.categories,
    }


def _is_utf8(content: bytes) -> bool:
    if content.isascii():
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    try:
        for start in range(0, len(view), _UTF8_BLOCK):
            decoder.decode(view[start : start + _UTF8_BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _read_with_json(content: bytes, log: FindingLog) -> dict[str, Any] | None:
    try:
        document = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        log.add("file-encoding", detail=f"byte {error.start} is not UTF-8")
        return None
    except json.JSONDecodeError as error:
        _note_syntax_error(error, log)
        return None
    except RecursionError:
        log.add("json-nesting")
        return None
    except ValueError as error:  # a number of more digits than Python converts
        log.add("json-broken", detail=str(error))
        return None
    if not isinstance(document, dict):
        log.add("json-top-level", detail=f"found {quote(document)}")
        return None
    return document


def _note_syntax_error(error: json.JSONDecodeError, log: FindingLog) -> None:
    place = f"line {error.lineno} column {error.colno}"
    at_end = error.pos >= len(error.doc.rstrip())
    # The decoder blames the opening quote of a string that never ends.
    if error.doc and (at_end or error.msg.startswith("Unterminated string")):
        log.add("json-truncated", place, f"{error.msg}, but the file ends")
    else:
        log.add("json-broken", place, error.msg if error.doc else "the file is empty")
