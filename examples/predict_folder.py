"""Find instances in every picture of a folder and draw them.

    python examples/predict_folder.py runs/lemons-1 photos --output found

The model is a run, a checkpoint, an exported bundle, or `models:/lemons@champion`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from segtune import SegtuneError, open_predictor, parse_device, read_image, write_image
from segtune.draw import overlay
from segtune.images import list_images


def main() -> None:
    """Write one PNG a picture, with masks, boxes and class names on it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=Path("found"))
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()

    predictor = open_predictor(options.model, device=parse_device(options.device))
    for path in list_images(str(options.folder)):
        image = read_image(path)
        [instances] = predictor.predict([image], threshold=options.threshold)
        drawn = options.output / path.relative_to(options.folder).with_suffix(".png")
        write_image(drawn, overlay(image, instances, predictor.categories))
        names = [predictor.categories[int(label)].name for label in instances.labels]
        print(f"{drawn}: {', '.join(names) or 'nothing'}")


if __name__ == "__main__":
    try:
        main()
    except SegtuneError as error:  # says what is wrong, where, and what to do
        raise SystemExit(str(error)) from None
