"""The dataset beside the recipe that it is to be trained with."""

from segtune.data.rules.rule import info, warning

RECIPE = (
    warning(
        "instance-below-stride",
        "an instance is narrower than a cell of the network's finest features, at this image size",
        "raise image_size, or cut images into tiles; what small cells cannot see is not learnt",
    ),
    info(
        "image-above-limit",
        "an image has more instances than this model returns",
        "cut the image and its annotations into tiles, and predict on tiles as well",
    ),
)
