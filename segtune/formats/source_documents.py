"""JSON, XML, YAML and text files of a dataset, read with an error that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from segtune import strict_yaml
from segtune.errors import DatasetError

_SAVE_AGAIN = "export or download the file again"


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file, without a byte order mark. Raises DatasetError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(
            f"cannot read {path.name}: {error.strerror or error}",
            where=str(path),
            remedy="check the path and the permissions",
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path.name} is not UTF-8 text",
            where=f"{path}, byte {error.start}",
            remedy="save it as UTF-8",
        ) from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds. Raises DatasetError."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken(path, "JSON", f"line {error.lineno}: {error.msg}") from error
    except RecursionError as error:
        raise _broken(path, "JSON", "nested too deeply") from error
    except ValueError as error:  # a number of more digits than Python converts
        raise _broken(path, "JSON", str(error)) from error


def read_xml(path: Path) -> ElementTree.Element:
    """Return the root element of an XML file.

    A document type is refused: entities, which can expand to more than any memory holds or name
    other files, are declared nowhere else, and no annotation format needs one.

    Raises:
        DatasetError: The file is no XML, or has a document type.
    """
    text = read_text(path)
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(text)
        root: ElementTree.Element = parser.close()
    except ElementTree.ParseError as error:
        raise _broken(path, "XML", str(error)) from error
    except _DoctypeError as error:
        raise DatasetError(
            f"{path.name} declares a document type",
            where=str(path),
            remedy="remove the <!DOCTYPE ...> declaration; annotations do not need one",
        ) from error
    return root


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds. Raises DatasetError."""
    try:
        return strict_yaml.read(read_text(path)).value
    except strict_yaml.YamlError as error:
        line = f"line {error.line}: " if error.line else ""
        raise _broken(path, "YAML", f"{line}{error.problem}") from error
    except RecursionError as error:
        raise _broken(path, "YAML", "nested too deeply") from error


class _DoctypeError(Exception):
    pass


class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Stop as soon as a document type begins."""
        raise _DoctypeError(name, pubid, system)


def _broken(path: Path, language: str, problem: str) -> DatasetError:
    return DatasetError(
        f"{path.name} is not valid {language}", where=f"{path}, {problem}", remedy=_SAVE_AGAIN
    )
