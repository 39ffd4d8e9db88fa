"""Published and local weights: fetched, read without running code, put into a network."""

from segtune.weights.download import fetch_weights
from segtune.weights.files import read_weights_file
from segtune.weights.load import LoadReport, load_weights

__all__ = ["LoadReport", "fetch_weights", "load_weights", "read_weights_file"]
