"""What a picture looks like in 256 bits, which stay when it is scaled or compressed anew.

A bit says whether one low frequency of the picture is above the median of them all; this is the
perceptual hash of https://www.phash.org, with 16 x 16 frequencies instead of 8 x 8, since 64 bits
are too few to tell the pictures of a large set apart.

Shapes: n pictures, p pairs, W bands of a look.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_DISTANCE = 15
"""Bits in which two looks of one photograph differ at most."""

_THUMBNAIL_SIDE = 64
_NUM_FREQUENCIES = 16  # of each axis
_NUM_BANDS = 16  # one more than bits may differ, so that one band at least is equal
_LEAST_CONTRAST = 2.0  # standard deviation in 0..255; below it noise decides the bits
# Where more pictures share a band, or so many pairs are found, a camera stands still: everything
# is like everything else, and listing all pairs of 100,000 frames would take hours.
_MAX_NEIGHBOURS = 64
_ENOUGH_PAIRS = 20  # for each picture


def look_of(picture: NDArray[np.uint8]) -> str:
    """Return the look of an RGB picture (H, W, 3) as hexadecimal digits; empty without contrast."""
    side = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
    small = cv2.resize(picture, side, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if grey.std() < _LEAST_CONTRAST:
        return ""
    low = cv2.dct(grey)[:_NUM_FREQUENCIES, :_NUM_FREQUENCIES].ravel()
    low[0] = np.median(low[1:])  # brightness is not part of it
    return np.packbits(low > np.median(low[1:])).tobytes().hex()


def alike(looks: Sequence[str]) -> NDArray[np.int64]:
    """Return the pairs (p, 2), first < second, of looks that differ in 15 bits at most.

    Empty looks are like no other. All pairs are found unless more than 64 looks share a band, or
    20 pairs for each look are known, as in the frames of a camera that stands still.
    """
    known = np.array([index for index, look in enumerate(looks) if look], np.int64)  # (n,)
    text = "".join(looks)
    bands = np.frombuffer(bytes.fromhex(text), ">u2").reshape(-1, _NUM_BANDS).astype(np.uint16)
    found = [np.zeros((0, 2), np.int64)]
    num_pairs = 0
    for band in range(_NUM_BANDS):
        # Sorted by this band, then by the others: equal looks are neighbours.
        keys = [bands[:, (band + turn) % _NUM_BANDS] for turn in range(_NUM_BANDS)]
        order = np.lexsort(keys[::-1])  # (n,)
        ordered = bands[order]  # (n, W)
        for step in range(1, min(_MAX_NEIGHBOURS, len(order) - 1) + 1):
            shares_band = ordered[:-step, band] == ordered[step:, band]
            first = np.flatnonzero(shares_band)
            if len(first) == 0:
                break
            different = ordered[first] ^ ordered[first + step]
            distances = np.bitwise_count(different).sum(axis=1)
            near = first[distances <= MAX_DISTANCE]
            found.append(np.stack([order[near], order[near + step]], axis=1))
            num_pairs += len(near)
            if num_pairs > _ENOUGH_PAIRS * len(known):
                break
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.asarray(known[np.unique(pairs, axis=0)])
