"""Runs recorded in MLflow, or nowhere."""

from segtune.tracking.bundles import BUNDLE_TAG, bundle_digest, local_copy, upload_bundle
from segtune.tracking.store import connect, explained, tracking_uri
from segtune.tracking.tracker import (
    MlflowTracker,
    NullTracker,
    RunStatus,
    Tracker,
    open_experiment,
)

__all__ = [
    "BUNDLE_TAG",
    "MlflowTracker",
    "NullTracker",
    "RunStatus",
    "Tracker",
    "bundle_digest",
    "connect",
    "explained",
    "local_copy",
    "open_experiment",
    "tracking_uri",
    "upload_bundle",
]
