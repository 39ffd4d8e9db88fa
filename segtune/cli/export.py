"""`segtune export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segtune.cli import console, options


def export(
    model: Annotated[str, typer.Argument(help="Run or checkpoint folder.")],
    output: Annotated[Path, typer.Argument(help="Bundle folder to make.")],
    images: Annotated[
        list[str],
        typer.Option(help="Pictures (file, folder or glob) to compare on; repeat as needed."),
    ],
    device: options.DeviceName = "cpu",
    threads: options.Threads = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Add network.onnx, for ONNX Runtime and others.")
    ] = False,
) -> None:
    """Write a bundle that PaddleX loads, and compare it with the checkpoint on real pictures."""
    from segtune import processor
    from segtune.devices import parse_device
    from segtune.images import list_images

    chosen = parse_device(device)
    pictures = [path for name in images for path in list_images(name)]
    processor.import_paddle_quietly(threads)
    from segtune.sources import export_reference

    agreement = export_reference(
        model, output, images=pictures, device=chosen, onnx=onnx, reporter=console.reporter()
    )
    console.show_table(
        ["", ""],
        [
            ["bundle", str(output)],
            ["compared on", f"{agreement.images} pictures, {agreement.instances} instances"],
            ["worst box difference", f"{agreement.worst_box_px:.2g} px"],
            ["worst score difference", f"{agreement.worst_score:.2g}"],
            ["worst mask IoU", f"{agreement.worst_mask_iou:.6f}"],
            ["decided by ties", str(agreement.ties)],
        ],
    )
