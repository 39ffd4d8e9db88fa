import math

import paddle
from paddle import nn

from segtune.training.finite import odd_gradients, values_of


def test_losses_of_any_shape_with_one_element_become_numbers() -> None:
    values = values_of({"a": paddle.to_tensor([2.0]), "b": paddle.to_tensor(math.inf)})

    assert values == {"a": 2.0, "b": math.inf}


def test_only_the_parameters_whose_gradient_is_spoiled_are_named() -> None:
    layer = nn.Linear(2, 2)
    layer.weight.set_value(paddle.zeros([2, 2]))
    layer.bias.set_value(paddle.ones([2]))

    (layer.weight.sqrt().sum() + layer.bias.sqrt().sum()).backward()

    assert odd_gradients(layer) == ["weight"]


def test_frozen_parameters_and_those_that_took_no_part_have_no_gradient_to_look_at() -> None:
    layer = nn.Linear(2, 2)
    layer.bias.stop_gradient = True

    assert odd_gradients(layer) == []
    assert odd_gradients(nn.ReLU()) == []
