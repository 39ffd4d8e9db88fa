"""Run a PaddleX pipeline and store what it finds; executed by the interpreter of .venv-peers.

run_paddlex.py PIPELINE_YAML THRESHOLD OUTPUT_FOLDER IMAGE...

OUTPUT_FOLDER receives, for image i: i.json with label, class name, score, box and the shape of the
cropped mask of every row; i.npz with the cropped masks as 0, 1, ...; and PaddleX's own pictures.
"""

import json
import sys
from pathlib import Path

import numpy as np
from paddlex import create_pipeline


def main() -> None:
    pipeline_yaml, threshold, output, *images = sys.argv[1:]
    folder = Path(output)
    pipeline = create_pipeline(pipeline=pipeline_yaml)
    for number, result in enumerate(pipeline.predict(images, threshold=float(threshold))):
        rows = [
            {
                "label": int(box["cls_id"]),
                "class_name": box["label"],
                "score": float(box["score"]),
                "box": [float(side) for side in box["coordinate"]],
            }
            for box in result["boxes"]
        ]
        (folder / f"{number}.json").write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
        masks = {str(index): np.asarray(mask) for index, mask in enumerate(result["masks"])}
        np.savez_compressed(folder / f"{number}.npz", **masks)
        result.save_to_img(str(folder / f"{number}_drawn.png"))


if __name__ == "__main__":
    main()
