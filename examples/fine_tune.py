"""Fine-tune PP-YOLOE_seg-S on a dataset in COCO format, then evaluate it class by class.

    python examples/fine_tune.py datasets/lemons --epochs 20

The folder holds images/ and annotations/instance_{train,val}.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from segtune import (
    SegtuneError,
    evaluate_model,
    fine_tune,
    load_recipe,
    locate_root,
    parse_device,
)


def main() -> None:
    """Train, evaluate, and show where the results lie."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--recipe", default="pp_yoloe_seg_s", help="name or YAML file")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()

    device = parse_device(options.device)
    root = json.dumps(str(options.dataset.resolve()))  # quoted, as overrides are read as YAML
    recipe = load_recipe(options.recipe, [f"data.root={root}", f"epochs={options.epochs}"])
    summary = fine_tune(recipe, device=device)
    print(f"checkpoint {summary.checkpoint}, bundle for PaddleX {summary.bundle}")

    files = locate_root(options.dataset)
    report = evaluate_model(str(summary.run_folder), files.val, files.images_root, device=device)
    for of_class in report.per_class:
        ap = "none to find" if of_class.mask.ap is None else f"{100 * of_class.mask.ap:.1f}"
        print(f"{of_class.class_name}: mask AP {ap}")


if __name__ == "__main__":
    try:
        main()
    except SegtuneError as error:  # says what is wrong, where, and what to do
        raise SystemExit(str(error)) from None
