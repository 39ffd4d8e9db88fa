"""Both splits beside each other."""

from segtune.data.rules.rule import warning

SPLITS = (
    warning(
        "splits-identical",
        "every validation image is a training image as well",
        "validate on images that were not trained on; AP says nothing as it is",
    ),
    warning(
        "image-in-both-splits",
        "a validation image is the same picture as a training image",
        "remove it from one of the two; AP is too high as it is",
    ),
    warning(
        "image-similar-in-both-splits",
        "a validation image is nearly the same picture as a training image",
        "put both into one split; AP is too high as it is",
    ),
    warning(
        "splits-classes-differ",
        "a class is far more frequent in one split than in the other",
        "split anew at random; `segtune split` keeps the share of every class",
    ),
    warning(
        "splits-sizes-differ",
        "objects are far larger in one split than in the other",
        "split anew at random, or say why: validation measures something else than is learnt",
    ),
)
