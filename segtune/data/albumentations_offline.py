"""Albumentations, imported without its look at the network for a newer version."""

from __future__ import annotations

import os

# Albumentations reads this variable once, while it is imported, and otherwise waits for the
# package index. A value that the user has set stays.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations
from albumentations.core.type_definitions import Targets

__all__ = ["Targets", "albumentations"]
