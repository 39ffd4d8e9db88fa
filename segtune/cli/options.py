"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEVICES = "cpu, gpu:0, npu:0, xpu:0, mlu:0, ..."
DeviceName = Annotated[str, typer.Option("--device", metavar="NAME", help=DEVICES)]
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, help="CPU threads; default: OMP_NUM_THREADS or every core."),
]
RuntimeName = Annotated[
    str,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="What runs the network: paddle, or onnx or openvino for a bundle with network.onnx.",
    ),
]
PrecisionName = Annotated[
    str,
    typer.Option("--precision", metavar="NAME", help="fp32; with openvino also bf16."),
]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Images per forward pass.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="ROOT",
        help="Dataset folder with images/ and annotations/instance_{train,val}.json.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key, such as optimizer.lr=1e-4."),
]
MODEL_HELP = "Run, checkpoint or bundle folder, pipeline YAML, or models:/NAME@ALIAS."
ImagesFolder = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Folder of the pictures, where it is unusual."),
]
Link = Annotated[
    bool, typer.Option("--link", help="Link pictures instead of copying them; hard where possible.")
]
Renames = Annotated[
    list[str] | None,
    typer.Option("--rename", metavar="OLD=NEW", help="Another name for a class; repeatable."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Another seed gives another choice.")]
