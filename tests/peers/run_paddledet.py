"""Compute with parts of PaddleDetection's package; executed by the interpreter of .venv-peers.

run_paddledet.py features DEPTH VARIANT GROUPS BASE_WIDTH INPUTS OUTPUTS
run_paddledet.py regions INPUTS OUTPUTS

INPUTS and OUTPUTS are .npz files. `features` takes `images` and every tensor of backbone and neck
by its name; it gives res2 to res5 and P2 to P6 as 0 to 8. `regions` takes and gives what the
function of that name says.

Layers are made by their constructors with everything that matters spelled out, because the
package's registry keeps one configuration for the whole process.
"""

import sys
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from ppdet.modeling.backbones.resnet import ResNet
from ppdet.modeling.bbox_utils import bbox2delta, delta2bbox
from ppdet.modeling.heads.roi_extractor import RoIAlign
from ppdet.modeling.layers import MultiClassNMS, RCNNBox
from ppdet.modeling.necks.fpn import FPN
from ppdet.modeling.post_process import paste_mask
from ppdet.modeling.proposal_generator.anchor_generator import AnchorGenerator
from ppdet.modeling.proposal_generator.proposal_generator import ProposalGenerator
from ppdet.modeling.proposal_generator.target import label_box

CHANNELS = [256, 512, 1024, 2048]
SCALES = [1 / 4, 1 / 8, 1 / 16, 1 / 32]
SIDES = [32, 64, 128, 256, 512]
RATIOS = [0.5, 1.0, 2.0]
BOX_WEIGHTS = [10.0, 10.0, 5.0, 5.0]

Arrays = dict[str, NDArray[Any]]
Tensors = dict[str, paddle.Tensor]


def main() -> None:
    part, *arguments, inputs, outputs = sys.argv[1:]
    with np.load(inputs) as file:
        arrays = {name: file[name] for name in file.files}
    with paddle.no_grad():
        if part == "features":
            depth, variant, groups, base_width = arguments
            made = features(int(depth), variant, int(groups), int(base_width), arrays)
        else:
            made = regions({name: paddle.to_tensor(array) for name, array in arrays.items()})
    np.savez(outputs, **{name: tensor.numpy() for name, tensor in made.items()})


def features(depth: int, variant: str, groups: int, base_width: int, arrays: Arrays) -> Tensors:
    backbone = ResNet(
        depth=depth,
        variant=variant,
        groups=groups,
        base_width=base_width,
        norm_type="bn",
        freeze_norm=True,
        freeze_at=0,
        return_idx=[0, 1, 2, 3],
        num_stages=4,
    )
    neck = FPN(in_channels=CHANNELS, out_channel=256, spatial_scales=SCALES)
    network = paddle.nn.LayerDict({"backbone": backbone, "neck": neck})
    tensors = network.state_dict()
    images = paddle.to_tensor(arrays.pop("images"))
    assert sorted(tensors) == sorted(arrays), set(tensors) ^ set(arrays)
    for name, value in arrays.items():
        tensors[name].set_value(value)
    network.eval()
    stages = backbone({"image": images})
    levels = neck(list(stages))
    return {str(number): feature for number, feature in enumerate([*stages, *levels])}


def regions(given: Tensors) -> Tensors:
    """Give what becomes of boxes (B, 4) and deltas (B, 4), and of what heads say about regions.

    `level0` to `level3` are features of images of `size_hw` (1, 2), and `counts` the boxes on each.
    `logits` (1, 3, h, w) and `deltas_map` (1, 12, h, w) say what anchors at stride 8 show, where
    boxes `wanted` (G, 4) are to be found. `class_scores` (R, K + 1) and `class_deltas` (R, 4K) do
    so for `rois` (R, 4), and `masks` (M, p, p) are probabilities inside `mask_boxes` (M, 4).
    """
    levels = [given[f"level{number}"] for number in range(4)]
    boxes, counts, size_hw = given["boxes"], given["counts"], given["size_hw"]
    pyramid = AnchorGenerator([[side] for side in SIDES], RATIOS, [4.0, 8.0, 16.0, 32.0, 64.0])
    anchors = pyramid([*levels, levels[-1][:, :, ::2, ::2]])
    instances, labels = label_box(anchors[1], given["wanted"], 0.7, 0.3, True, -1)
    propose = ProposalGenerator(2000, 2000, nms_thresh=0.7, min_size=0.0)
    proposals = propose(given["logits"], given["deltas_map"], anchors[1], size_hw)[0]
    per_image = paddle.split(boxes, counts.tolist())
    height, width = size_hw[0].astype("int32").tolist()
    return {
        **{f"anchors{number}": rows for number, rows in enumerate(anchors)},
        "anchors_c4": AnchorGenerator(SIDES, RATIOS, [16.0])(levels[2:3])[0],
        "encoded": bbox2delta(boxes, boxes.flip(0), BOX_WEIGHTS),
        "decoded": delta2bbox(given["deltas"], boxes, BOX_WEIGHTS).squeeze(1),
        "instances": instances,
        "labels": labels,
        "proposals": proposals,
        "pooled": RoIAlign(7, SCALES, 0, aligned=True)(levels, per_image, counts),
        "pooled_c4": RoIAlign(14, [1 / 16], aligned=True)(levels[2:3], per_image, counts),
        "detections": detections(given),
        "masks": paste_mask(given["masks"][:, None], given["mask_boxes"], height, width) >= 0.5,
    }


def detections(given: Tensors) -> paddle.Tensor:
    rois, size_hw = given["rois"], given["size_hw"]
    num_classes = given["class_scores"].shape[1] - 1
    decode = RCNNBox(BOX_WEIGHTS, num_classes=num_classes)
    suppress = MultiClassNMS(score_threshold=0.05, keep_top_k=100, nms_threshold=0.5)
    said = given["class_deltas"], given["class_scores"]
    num_rois = paddle.to_tensor([len(rois)], "int32")
    boxes, scores = decode(said, ([rois], num_rois), size_hw, paddle.ones([1, 2]))
    return suppress(boxes, scores, num_classes)[0]


if __name__ == "__main__":
    main()
