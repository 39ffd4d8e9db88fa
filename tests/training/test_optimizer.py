import numpy as np
import paddle
import pytest
from paddle import nn

from segtune.errors import CheckpointError, RecipeError
from segtune.recipe import OptimizerRecipe
from segtune.recipe_files import load_recipe
from segtune.training.optimizer import build_optimizer, optimizer_state, restore_optimizer
from segtune.zoo import build_model


def _one_weight() -> nn.Layer:
    network = nn.Linear(1, 1, bias_attr=False)
    network.weight.set_value(np.ones((1, 1), np.float32))
    return network


def _after_steps(network: nn.Layer, recipe: OptimizerRecipe, gradient: float, steps: int) -> float:
    optimizer = build_optimizer(network, recipe)
    for _ in range(steps):
        (network.weight * gradient).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
    return float(network.weight.sum())


@pytest.mark.parametrize(
    ("recipe", "gradient", "steps", "weight"),
    [
        pytest.param(
            OptimizerRecipe(lr=0.1, weight_decay=0.1), 0.0, 1, 0.99, id="momentum adds L2"
        ),
        pytest.param(
            OptimizerRecipe(lr=0.1, weight_decay=0.1), 0.0, 2, 0.9711, id="and carries it on"
        ),
        pytest.param(
            OptimizerRecipe(name="adamw", lr=0.1, weight_decay=0.1),
            0.0,
            1,
            0.99,
            id="adamw decays apart from the gradient",
        ),
        pytest.param(
            OptimizerRecipe(lr=1.0, momentum=0.0, weight_decay=0.5, clip_norm=0.1),
            10.0,
            1,
            0.4,
            id="the gradient is clipped before L2 is added",
        ),
    ],
)
def test_updates_give_the_reference_values(
    recipe: OptimizerRecipe, gradient: float, steps: int, weight: float
) -> None:
    # Reference values of spec/training.md 17.
    assert _after_steps(_one_weight(), recipe, gradient, steps) == pytest.approx(weight, abs=1e-6)


class _BackboneAndHead(nn.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2D(3, 4, 1), nn.BatchNorm2D(4))
        self.head = nn.Conv2D(4, 2, 1)


def _touch(network: nn.Layer, optimizer: paddle.optimizer.Optimizer) -> None:
    """Take a step whose gradients are all zero, so that only decay moves weights."""
    total = sum((parameter * 0).sum() for parameter in network.parameters())
    total.backward()
    optimizer.step()
    optimizer.clear_grad()


def test_norms_keep_their_scale_while_weights_and_biases_decay() -> None:
    network = _BackboneAndHead()
    for parameter in network.parameters():
        parameter.set_value(paddle.ones_like(parameter))

    _touch(network, build_optimizer(network, OptimizerRecipe(lr=0.1, weight_decay=0.5)))

    assert float(network.backbone[1].weight.mean()) == 1.0
    assert float(network.backbone[0].bias.mean()) == pytest.approx(0.95)
    assert float(network.head.weight.mean()) == pytest.approx(0.95)


def test_the_backbone_learns_at_its_fraction_and_zero_freezes_it() -> None:
    network = _BackboneAndHead()
    recipe = OptimizerRecipe(lr=0.1, weight_decay=0.5, backbone_lr_scale=0.1)
    before = network.backbone[0].weight.numpy()
    _touch(network, build_optimizer(network, recipe))
    np.testing.assert_allclose(network.backbone[0].weight.numpy(), before * 0.995, rtol=1e-6)

    frozen = _BackboneAndHead()
    before = frozen.backbone[0].weight.numpy()
    _touch(frozen, build_optimizer(frozen, OptimizerRecipe(lr=0.1, backbone_lr_scale=0.0)))
    np.testing.assert_array_equal(frozen.backbone[0].weight.numpy(), before)


@pytest.mark.parametrize(
    ("lr_scales", "rates"),
    [
        pytest.param({}, [0.5, 0.5, 1.0], id="none"),
        pytest.param({"backbone.0": 0.2}, [0.1, 0.5, 1.0], id="on top of the backbone's"),
        pytest.param({"head": 3.0}, [0.5, 0.5, 3.0], id="of another part"),
        pytest.param(
            {"backbone.0": 0.2, "backbone": 0.4}, [0.1, 0.2, 1.0], id="the inner part counts"
        ),
        pytest.param({"backbone.1.weight": 0.2}, [0.5, 0.1, 1.0], id="of one parameter"),
    ],
)
def test_parts_learn_at_their_own_rates(lr_scales: dict[str, float], rates: list[float]) -> None:
    network = _BackboneAndHead()

    build_optimizer(network, OptimizerRecipe(backbone_lr_scale=0.5, lr_scales=lr_scales))

    weights = (network.backbone[0].weight, network.backbone[1].weight, network.head.weight)
    assert [weight.optimize_attr["learning_rate"] for weight in weights] == pytest.approx(rates)


@pytest.mark.parametrize("cascade", ["", "cascade_"])
def test_the_stages_of_an_ssld_backbone_learn_at_the_rates_of_the_shipped_recipe(
    cascade: str,
) -> None:
    recipe = load_recipe(f"{cascade}mask_rcnn_resnet50_vd_ssldv2_fpn")
    network = build_model(recipe.model, 3)

    build_optimizer(network, recipe.optimizer)

    rates = {
        ".".join(name.split(".")[:2]): parameter.optimize_attr["learning_rate"]
        for name, parameter in network.named_parameters()
        if not parameter.stop_gradient
    }
    backbone = {part: rate for part, rate in rates.items() if part.startswith("backbone.")}
    # Stem and res2 are frozen.
    assert backbone == {"backbone.res3": 0.05, "backbone.res4": 0.1, "backbone.res5": 0.15}
    assert {rate for part, rate in rates.items() if part not in backbone} == {1.0}


def test_a_rate_of_zero_freezes_a_part() -> None:
    network = _BackboneAndHead()
    before = network.head.weight.numpy()

    optimizer = build_optimizer(network, OptimizerRecipe(lr=0.1, lr_scales={"head": 0.0}))
    _touch(network, optimizer)

    assert network.head.weight.stop_gradient
    np.testing.assert_array_equal(network.head.weight.numpy(), before)
    assert not network.backbone[0].weight.stop_gradient


@pytest.mark.parametrize(
    ("part", "nearest"),
    [
        pytest.param("backbone.2", "backbone.1", id="a layer that is not there"),
        pytest.param("back", "backbone", id="half a name is no part"),
        pytest.param("backbone.0.wieght", "backbone.0.weight", id="a slip"),
    ],
)
def test_a_part_that_the_network_lacks_is_answered_with_the_nearest(
    part: str, nearest: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        build_optimizer(_BackboneAndHead(), OptimizerRecipe(lr_scales={part: 0.1}))

    assert refused.value.where == f"optimizer.lr_scales.{part}"
    assert nearest in str(refused.value.remedy)


def test_clipping_takes_the_norm_of_all_gradients_together() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias_attr=False), nn.LayerNorm(1, bias_attr=False))
    for parameter in network.parameters():
        parameter.set_value(paddle.ones_like(parameter))
    recipe = OptimizerRecipe(lr=1.0, momentum=0.0, weight_decay=0.5, clip_norm=1.0)
    optimizer = build_optimizer(network, recipe)

    (3 * network[0].weight.sum() + 4 * network[1].weight.sum()).backward()
    optimizer.step()

    # Gradients 3 and 4 have norm 5, shared by the weight that decays and the scale that does not.
    assert float(network[0].weight.sum()) == pytest.approx(1 - 3 / 5 - 0.5)
    assert float(network[1].weight.sum()) == pytest.approx(1 - 4 / 5)


@pytest.mark.parametrize("name", ["momentum", "adamw"])
def test_a_restored_optimizer_goes_on_bit_for_bit(name: str) -> None:
    recipe = OptimizerRecipe(name=name, lr=0.05)  # type: ignore[arg-type]

    def fresh() -> tuple[nn.Layer, paddle.optimizer.Optimizer]:
        paddle.seed(7)
        network = nn.Linear(3, 2)
        return network, build_optimizer(network, recipe)

    def step(network: nn.Layer, optimizer: paddle.optimizer.Optimizer, number: int) -> None:
        (network(paddle.full([2, 3], number + 1.0)) ** 3).sum().backward()
        optimizer.step()
        optimizer.clear_grad()

    straight, optimizer = fresh()
    for number in range(4):
        step(straight, optimizer, number)
    first, optimizer = fresh()
    for number in range(2):
        step(first, optimizer, number)
    saved = {key: tensor.numpy() for key, tensor in optimizer_state(optimizer, first).items()}
    second, optimizer = fresh()
    second.set_state_dict(first.state_dict())
    restore_optimizer(optimizer, second, saved)
    for number in range(2, 4):
        step(second, optimizer, number)

    np.testing.assert_array_equal(second.weight.numpy(), straight.weight.numpy())
    np.testing.assert_array_equal(second.bias.numpy(), straight.bias.numpy())


def test_state_of_another_network_is_refused_by_name() -> None:
    network = _one_weight()
    optimizer = build_optimizer(network, OptimizerRecipe())

    with pytest.raises(CheckpointError, match="another network"):
        restore_optimizer(optimizer, network, {"stem.weight/velocity": np.zeros(1, np.float32)})
