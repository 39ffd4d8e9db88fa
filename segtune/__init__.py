"""Fine-tune and manage instance segmentation models of the PaddlePaddle world.

The names below are the public ones. Each is imported on first use, so that `import segtune`
loads neither Paddle nor MLflow; it only sets the processor up for Paddle.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from segtune.processor import prepare

if TYPE_CHECKING:
    from segtune.data.layout import locate_root
    from segtune.devices import Device, parse_device
    from segtune.errors import SegtuneError
    from segtune.evaluate import evaluate_model
    from segtune.images import read_image, write_image
    from segtune.instances import Instances
    from segtune.pipeline import Pipeline, create_pipeline
    from segtune.predict import predict_files
    from segtune.predictor import Predictor
    from segtune.recipe import Recipe
    from segtune.recipe_files import load_recipe
    from segtune.result import Result
    from segtune.sources import open_predictor
    from segtune.train import fine_tune
    from segtune.zoo import MODELS, build_model, find_spec

__version__ = "0.1.0"

_HOMES = {
    "MODELS": "segtune.zoo",
    "Device": "segtune.devices",
    "Instances": "segtune.instances",
    "Pipeline": "segtune.pipeline",
    "Predictor": "segtune.predictor",
    "Recipe": "segtune.recipe",
    "Result": "segtune.result",
    "SegtuneError": "segtune.errors",
    "build_model": "segtune.zoo",
    "create_pipeline": "segtune.pipeline",
    "evaluate_model": "segtune.evaluate",
    "find_spec": "segtune.zoo",
    "fine_tune": "segtune.train",
    "load_recipe": "segtune.recipe_files",
    "locate_root": "segtune.data.layout",
    "open_predictor": "segtune.sources",
    "parse_device": "segtune.devices",
    "predict_files": "segtune.predict",
    "read_image": "segtune.images",
    "write_image": "segtune.images",
}

# Environment variables only, and none that the user has set. Paddle reads them when it is
# imported, which any module of segtune may do.
prepare()

_LOADS_PADDLE = {"fine_tune"}  # at import of their module; all others when they are called

__all__ = [
    "MODELS",
    "Device",
    "Instances",
    "Pipeline",
    "Predictor",
    "Recipe",
    "Result",
    "SegtuneError",
    "build_model",
    "create_pipeline",
    "evaluate_model",
    "find_spec",
    "fine_tune",
    "load_recipe",
    "locate_root",
    "open_predictor",
    "parse_device",
    "predict_files",
    "read_image",
    "write_image",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'segtune' has no attribute {name!r}")
    if name in _LOADS_PADDLE:
        from segtune.processor import import_paddle_quietly

        import_paddle_quietly()
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
