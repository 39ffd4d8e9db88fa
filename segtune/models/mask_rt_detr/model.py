"""Mask-RT-DETR: the RT-DETR detector, each of whose queries also is a filter for a mask.

Shapes: N images, h x w network input, Q queries, K classes, P prototypes, C channels of the pixels
that filters are applied to.
"""

from __future__ import annotations

from collections.abc import Sequence

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from segtune.models.mask_rt_detr.denoising import NUM_QUERIES as NUM_DENOISING
from segtune.models.mask_rt_detr.denoising import make_noisy_queries
from segtune.models.mask_rt_detr.hybrid_encoder import HybridEncoder
from segtune.models.mask_rt_detr.losses import (
    PARTS,
    Losses,
    gather_learned,
    losses_of_pairs,
    losses_without_instances,
)
from segtune.models.mask_rt_detr.mask_loss import NUM_DRAWN, NUM_POINTS
from segtune.models.mask_rt_detr.mask_overlap import mask_grids
from segtune.models.mask_rt_detr.matcher import match_queries, pair_copies
from segtune.models.mask_rt_detr.points import sample_points
from segtune.models.mask_rt_detr.targets import to_corners, to_unit
from segtune.models.mask_rt_detr.transformer import Predictions, QueryTransformer
from segtune.models.rows_of_images import rows_of_images
from segtune.models.segmenter import InstanceSegmenter, Targets
from segtune.outputs import MaskFrame, Outputs

MAX_ROWS_PER_IMAGE = 100


class MaskRtDetr(InstanceSegmenter):
    """Backbone, neck and transformer, and how detections and losses follow from them.

    Args:
        backbone: Images to features at strides 4, 8, 16 and 32.
        transformer: Features to what queries say.
        neck: Features to features, and to pixels for the masks.
        num_denoising: Denoising queries of a training step, about; 0 trains without.
    """

    size_divisor = 32
    mask_stride = 1
    mask_frame = MaskFrame.INPUT_UNCUT
    architecture = "DETR"
    only_for_training = frozenset({"transformer.denoising_class_embed.weight"})

    def __init__(
        self,
        backbone: nn.Layer,
        neck: HybridEncoder,
        transformer: QueryTransformer,
        *,
        num_denoising: int = NUM_DENOISING,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.transformer = transformer
        self.neck = neck
        self.num_denoising = num_denoising

    def losses(self, images: Tensor, targets: Targets) -> Losses:
        """Return `loss` and its twenty parts for images (N, 3, h, w)."""
        wanted = to_unit(targets, (images.shape[2], images.shape[3]))
        num_classes = self.transformer.score_head.weight.shape[1]
        denoising = make_noisy_queries(wanted, num_classes, self.num_denoising)
        features, pixels = self._features(images)
        predictions = self.transformer.every_layer(features, pixels, self._basis(), denoising)
        matched = predictions.matched
        if wanted.num_instances == 0:
            total, parts = losses_without_instances(matched)
            unused = self.transformer.denoising_class_embed.weight.sum() + pixels.sum()
            total = total + 0 * unused  # so that what lies behind gets a gradient all the same
            return _named(total, parts, {})
        with paddle.no_grad():
            pairs = match_queries(matched, wanted, sample_points(pixels, wanted, NUM_POINTS))
        samples, grids = sample_points(pixels, wanted, NUM_DRAWN), mask_grids(pixels, wanted)
        normaliser = wanted.num_instances
        total, parts = losses_of_pairs(
            matched, gather_learned(matched, wanted, pairs), samples, grids, normaliser
        )
        denoised = predictions.denoised
        if denoising is None or denoised is None:
            return _named(total, parts, {})
        copies = pair_copies(denoising, wanted, denoised.boxes.shape[0])
        denoising_total, denoising_parts = losses_of_pairs(
            denoised,
            gather_learned(denoised, wanted, copies),
            samples,
            grids,
            normaliser * denoising.num_groups,
        )
        return _named(total + denoising_total, parts, denoising_parts)

    def forward(self, images: Tensor, sizes_hw: Tensor | None = None) -> Outputs:
        """Find the instances on images (N, 3, h, w); rows of an image are sorted by score.

        Each image has the same number of rows, also where it shows nothing. A query may have
        several, with other labels.
        """
        features, pixels = self._features(images)
        found = self.transformer(features, pixels, self._basis())
        return _best_rows(found, pixels, (images.shape[2], images.shape[3]))

    def _features(self, images: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        """Return features at strides 8, 16 and 32, and pixels (N, C, h/4, w/4)."""
        features, pixels = self.neck(self.backbone(images))
        if not self._is_folded:
            return features, self.neck.enc_mask_output[1](pixels)
        one = pixels[:, :1] * 0 + 1  # `ones_like` warns while it is traced
        return features, paddle.concat([pixels, one], axis=1)

    def _basis(self) -> Tensor | None:
        """Return what turns prototypes into pixels (P, C), or None where pixels are prototypes.

        Masks are linear in the last convolution of the mask branch, so that filters can take it
        over. The product with the pixels then is cheaper, if these have fewer channels than there
        are prototypes; the last one, which is always one, stands for the bias.
        """
        if not self._is_folded:
            return None
        conv = self.neck.enc_mask_output[1]
        return paddle.concat([conv.weight.flatten(1), conv.bias.unsqueeze(1)], axis=1)

    @property
    def _is_folded(self) -> bool:
        num_prototypes, channels = self.neck.enc_mask_output[1].weight.shape[:2]
        return bool(channels < num_prototypes)


def _best_rows(found: Predictions, pixels: Tensor, size_hw: tuple[int, int]) -> Outputs:
    """Choose the pairs of query and label with the highest scores."""
    num_queries, num_classes = found.class_logits.shape[1:]
    scores = F.sigmoid(found.class_logits).flatten(1)  # (N, Q * K)
    most = min(MAX_ROWS_PER_IMAGE, num_queries * num_classes)
    scores, chosen = paddle.topk(scores, most, axis=1)  # (N, rows)
    queries = chosen // num_classes
    height, width = size_hw
    boxes = to_corners(rows_of_images(found.boxes, queries)) * paddle.to_tensor(
        [float(width), float(height), float(width), float(height)]
    )
    filters = rows_of_images(found.filters, queries)  # (N, rows, C)
    logits = paddle.bmm(filters, pixels.flatten(2))
    counts = paddle.full([paddle.shape(scores)[0]], most, "int32")
    return Outputs(
        boxes.reshape([-1, 4]),
        scores.flatten(),
        (chosen % num_classes).flatten(),
        logits.reshape([-1, *pixels.shape[2:]]),
        counts,
    )


def _named(total: Tensor, matched: Losses, denoised: Losses) -> Losses:
    """Return all losses by their names; those of denoising are zero where there was none."""
    nothing = paddle.zeros([])
    named = {"loss": total}
    for suffix in ("", "_aux"):
        for part in PARTS:
            named[f"loss_{part}{suffix}"] = matched[f"{part}{suffix}"]
            named[f"loss_{part}{suffix}_dn"] = denoised.get(f"{part}{suffix}", nothing)
    return named
