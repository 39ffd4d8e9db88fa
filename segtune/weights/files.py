"""Weights files read into arrays, without ever running code from the file."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from segtune.errors import WeightsError

# Paddle's table from structured to internal names, which travels in every state dict.
_NAME_TABLE = "StructuredToParameterName@@"

_SAFETENSORS_DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "U16": "<u2", "U32": "<u4", "U64": "<u8",
    "BF16": "<u2", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def read_weights_file(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a `.safetensors` or `.pdparams` file by name.

    bfloat16, which NumPy lacks, comes back as float32. Plain numbers and text that lie beside
    the tensors of a `.pdparams` file, such as an epoch, are left out. The arrays may be read-only.

    Raises:
        WeightsError: The file is absent, cut off, damaged, of another kind, or asks for code.
    """
    readers = {".safetensors": _read_safetensors, ".pdparams": _read_pdparams}
    if path.suffix not in readers:
        raise WeightsError(
            f"{path.name} is not a weights file",
            where=str(path),
            remedy="give a file that ends in .safetensors or .pdparams",
        )
    try:
        arrays = readers[path.suffix](path)
    except OSError as error:
        raise WeightsError(
            f"cannot read weights: {error.strerror or error}",
            where=str(path),
            remedy="check the path and its permissions",
        ) from error
    if not arrays:
        raise WeightsError(
            "the file holds no tensors", where=str(path), remedy="give another weights file"
        )
    return arrays


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        entries: Any = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise _damaged(path, error) from error
    arrays = {}
    for name, entry in entries:
        code = _SAFETENSORS_DTYPES.get(entry["dtype"])
        if code is None:
            raise WeightsError(
                f"tensor {name} has the type {entry['dtype']}, which segtune does not read",
                where=str(path),
                remedy="save it as float32 or float16",
            )
        array = np.frombuffer(entry["data"], code).reshape(entry["shape"])
        arrays[name] = widened(array) if entry["dtype"] == "BF16" else array
    return arrays


def _read_pdparams(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as stream:
            content = _ArrayUnpickler(stream).load()
    except (WeightsError, OSError):
        raise
    except Exception as error:  # a damaged pickle raises any type, IndexError to UnicodeError
        raise _damaged(path, error) from error
    if not isinstance(content, Mapping):
        raise WeightsError(
            "the file is not a table of named tensors",
            where=str(path),
            remedy="save a state dict: paddle.save(network.state_dict(), ...)",
        )
    arrays = {}
    for name, value in content.items():
        if name == _NAME_TABLE or isinstance(value, int | float | str | None):
            continue
        arrays[str(name)] = _array_of(value, name=f"{path}, {name}")
    return arrays


def _array_of(value: object, *, name: str) -> NDArray[Any]:
    """Unwrap a pickled tensor: an array, or Paddle's pair of internal name and array."""
    if isinstance(value, tuple) and len(value) == 2:
        value = value[1]
    if not isinstance(value, _PickledArray) or value.array is None:
        raise WeightsError(
            "this entry is not a tensor",
            where=name,
            remedy="save a flat state dict: paddle.save(network.state_dict(), ...)",
        )
    return value.array


def widened(bfloat16: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Turn bfloat16 values, kept as their 16 bits, into float32."""
    return (bfloat16.astype(np.uint32) << 16).view(np.float32)


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"the weights file is damaged, cut off, or more than a table of tensors: {error}",
        where=str(path),
        remedy="remove it and fetch or copy it again; weights come as a flat state dict",
    )


class _PickledDtype:
    """Stands for `numpy.dtype` while unpickling; plain numbers only."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"):
            raise ValueError(f"an array of type {code}, not of numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(">" if state[1] == ">" else "<")


class _PickledArray:
    """Stands for `numpy.ndarray` while unpickling, so that only plain bytes become an array."""

    array: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, is_fortran, raw = state
        array = np.frombuffer(raw, kind.dtype)
        array = array.reshape(shape, order="F" if is_fortran else "C")
        # Paddle saves bfloat16 as its bits; no layer has a 16-bit unsigned parameter.
        self.array = widened(array) if array.dtype == np.uint16 else array


class _ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries of arrays; any other global that the file names is refused."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._stream_name = stream.name
        self._admitted = {
            "numpy.ndarray": _PickledArray,
            "numpy.dtype": _PickledDtype,
            "numpy._core.multiarray._reconstruct": _new_array,
            "numpy.core.multiarray._reconstruct": _new_array,  # written with numpy 1
            "_codecs.encode": _bytes_of_text,  # how protocol 2 writes bytes
            "collections.OrderedDict": OrderedDict,
            "builtins.tuple": tuple,
            "__builtin__.tuple": tuple,
        }

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a global of the file. Raises WeightsError for any other."""
        admitted = self._admitted.get(f"{module}.{name}")
        if admitted is None:
            raise WeightsError(
                f"the file asks for {module}.{name}; a weights file may hold arrays only",
                where=self._stream_name,
                remedy="do not trust this file; use .safetensors, or weights from their publisher",
            )
        return admitted


def _new_array(kind: type, shape: object, typecode: object) -> _PickledArray:
    return _PickledArray()


def _bytes_of_text(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"bytes written as {encoding}")
    return text.encode("latin1")
