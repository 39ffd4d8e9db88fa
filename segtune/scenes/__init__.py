"""Photo-like pictures of small things with exact masks: the data of `segtune demo`."""

from segtune.scenes.dataset import draw_dataset

__all__ = ["draw_dataset"]
