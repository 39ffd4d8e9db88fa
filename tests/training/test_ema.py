import numpy as np
import pytest
from paddle import nn

from segtune.recipe import EmaRecipe
from segtune.training.ema import Ema


def _constant(value: float) -> nn.Layer:
    network = nn.Linear(1, 1, bias_attr=False)
    network.weight.set_value(np.full((1, 1), value, np.float32))
    return network


@pytest.mark.parametrize("kind", ["threshold", "exponential", "normal"])
@pytest.mark.parametrize("updates", [1, 2, 10, 100])
def test_the_average_of_a_constant_is_that_constant(kind: str, updates: int) -> None:
    network = _constant(1.0)
    ema = Ema(network, EmaRecipe(decay=0.9998, kind=kind))  # type: ignore[arg-type]

    for _ in range(updates):
        ema.update()

    assert float(ema.weights()["weight"].sum()) == pytest.approx(1.0, abs=2e-5)


def test_two_updates_weigh_as_their_decays_say() -> None:
    network = _constant(1.0)
    ema = Ema(network, EmaRecipe(decay=0.5, kind="normal"))

    ema.update()
    network.weight.set_value(np.full((1, 1), 4.0, np.float32))
    ema.update()

    # (0.5 * 0.5 * 1 + 0.5 * 4) / (1 - 0.25)
    assert float(ema.weights()["weight"].sum()) == pytest.approx(3.0)


def test_without_an_update_the_live_weights_are_used() -> None:
    assert float(Ema(_constant(2.0), EmaRecipe()).weights()["weight"].sum()) == 2.0


def test_norm_statistics_are_averaged_and_frozen_parameters_are_not() -> None:
    network = nn.Sequential(nn.Conv2D(1, 1, 1), nn.BatchNorm2D(1))
    network[0].weight.stop_gradient = True

    names = set(Ema(network, EmaRecipe()).state())

    assert names == {"0.bias", "1.weight", "1.bias", "1._mean", "1._variance"}


def test_a_restored_average_goes_on_bit_for_bit() -> None:
    def averaged(restart_at: int | None) -> np.ndarray:
        network = _constant(1.0)
        ema = Ema(network, EmaRecipe(decay=0.9, kind="threshold"))
        for number in range(6):
            if number == restart_at:
                saved = {name: tensor.numpy() for name, tensor in ema.state().items()}
                updates, unseen = ema.num_updates, ema.unseen_weight
                ema = Ema(network, EmaRecipe(decay=0.9, kind="threshold"))
                ema.restore(saved, updates, unseen)
            network.weight.set_value(np.full((1, 1), number**2, np.float32))
            ema.update()
        return ema.weights()["weight"].numpy()

    np.testing.assert_array_equal(averaged(restart_at=3), averaged(restart_at=None))
