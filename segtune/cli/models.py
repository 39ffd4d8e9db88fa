"""`segtune models`."""

from __future__ import annotations

from segtune.cli import console, options


def models(as_json: options.Json = False) -> None:
    """List the models: published AP on COCO, size, licence, and recipe."""
    from segtune.zoo import MODELS

    if as_json:
        console.show_json(
            [
                {
                    "name": spec.name,
                    "family": spec.family,
                    "mask_ap": spec.mask_ap,
                    "box_ap": spec.box_ap,
                    "size_mb": spec.size_mb,
                    "licence": spec.licence,
                    "recipe": spec.recipe.removesuffix(".yaml"),
                }
                for spec in MODELS
            ]
        )
        return
    rows = [
        [
            spec.name,
            _number(spec.mask_ap),
            _number(spec.box_ap),
            _number(spec.size_mb),
            spec.licence,
            spec.recipe.removesuffix(".yaml"),
        ]
        for spec in MODELS
    ]
    console.show_table(["model", "mask AP", "box AP", "size MB", "licence", "recipe"], rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
