"""Shares of the learning rate."""

import math

import pytest
from torch import nn

from snn_synth.errors import InputError
from snn_synth.training.parameter_groups import check_share, with_share


@pytest.mark.parametrize("share", [-1.0, 0, math.inf, math.nan])
def test_shares_that_are_none(share):
    with pytest.raises(InputError, match=f"Expected `pulse_share` above 0, got {share}$"):
        check_share("pulse_share", share)


@pytest.mark.parametrize("share", [1e-3, 1, 173.0])
def test_shares_below_and_above_1(share):
    check_share("pulse_share", share)


def test_chosen_parameters_have_the_share_and_settings_of_their_own():
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 4, bias=False))
    first, second = network
    others, chosen = with_share(network, iter([first.bias, second.weight]), 0.5, weight_decay=0.0)
    assert others.keys() == {"params"}
    assert [id(one) for one in others["params"]] == [id(first.weight)]
    assert [id(one) for one in chosen.pop("params")] == [id(first.bias), id(second.weight)]
    assert chosen == {"share": 0.5, "weight_decay": 0.0}
