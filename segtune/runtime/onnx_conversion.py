"""A bundle's raw graph, converted to ONNX by paddle2onnx."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from segtune.bundle import ONNX_GRAPH, RAW_GRAPH, WEIGHTS
from segtune.errors import BundleError, DependencyError, ExportError
from segtune.files import write_bytes
from segtune.outputs import Outputs
from segtune.runtime.onnx_runtime import INSTALL_ONNX, OnnxBackend, import_onnxruntime

OPSET = 16
# Without a file to write, paddle2onnx leaves out its optimiser, which installs packages by itself
# from another index while it runs. ONNX Runtime folds the same constants when it loads the graph.
_PROGRAM = f"""
import sys
sys.path = [folder for folder in sys.path if folder]  # not the working folder
from pathlib import Path
import paddle2onnx
graph, weights, output = sys.argv[1:]
converted = paddle2onnx.export(
    graph, weights, None, opset_version={OPSET}, auto_upgrade_opset=False
)
Path(output).write_bytes(converted)
"""
_NMS = "NonMaxSuppression"  # paddle2onnx leads one image through it
_FAULT = "[ERROR][Paddle2ONNX]"  # begins paddle2onnx's reasons


def check_packages() -> None:
    """Raise DependencyError if what converts, or what runs the result, is not installed."""
    for package in ("paddle2onnx", "onnx"):
        if find_spec(package) is None:
            raise DependencyError(
                f"{package} is not installed",
                remedy=f"{INSTALL_ONNX}; paddle2onnx has no wheel for Python 3.13 and later",
            )
    import_onnxruntime()


def convert(folder: Path) -> None:
    """Write the ONNX graph of a bundle beside its raw graph.

    Its inputs are those of the raw graph, its outputs those of `Outputs`, by name and in order. A
    graph that paddle2onnx limits to one image, such as one that ends in non-maximum suppression,
    says so in the shape of its inputs.

    Raises:
        DependencyError: A package that this needs is not installed.
        ExportError: paddle2onnx cannot convert the graph, or ONNX Runtime cannot load the result.
        OutputError: The disk did not take the graph.
    """
    check_packages()
    output = folder / ONNX_GRAPH
    # In a process of its own: paddle2onnx ends the process over what it cannot convert.
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, folder / RAW_GRAPH, folder / WEIGHTS, output],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    if done.returncode != 0:
        raise _refusal(f"paddle2onnx cannot convert the network: {_reason(done.stdout)}")
    write_bytes(output, _mended(output))
    try:
        OnnxBackend(folder, threads=1)
    except BundleError as error:
        raise _refusal(error.problem) from error


def _mended(graph_file: Path) -> bytes:
    """Return a converted graph with named outputs, its limit in its inputs, and padding by 0."""
    import onnx

    model = onnx.load(str(graph_file))
    graph = model.graph
    for output, name in zip(graph.output, Outputs._fields, strict=True):
        graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
        output.name = name
    if any(node.op_type == _NMS for node in graph.node):
        for given in graph.input:
            given.type.tensor_type.shape.dim[0].dim_value = 1
    for node in graph.node:
        if node.op_type == "Pad":
            # paddle2onnx 2.1 takes the value from memory that it has never written, and a graph
            # comes out right or wrong by chance. All networks pad with 0, which is ONNX's default.
            del node.input[2:]
    return bytes(model.SerializeToString())


def _reason(said: str) -> str:
    """Return the line of paddle2onnx's that tells why it stopped, else the last one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    faults = [line.removeprefix(_FAULT).strip() for line in lines if line.startswith(_FAULT)]
    return faults[0] if faults else (lines or ["it does not say why"])[-1]


def _refusal(problem: str) -> ExportError:
    return ExportError(
        problem,
        where="--onnx",
        remedy="export without --onnx; the other graphs of the bundle do not depend on it",
    )
