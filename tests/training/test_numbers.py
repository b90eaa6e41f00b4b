"""Numbers that are refused among the settings of optimizers and schedulers."""

import math

import pytest

from snn_synth.errors import InputError
from snn_synth.training.numbers import check_numbers

INF = math.inf


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"lr": -0.5}, "`it.lr` to be finite and at least 0, got -0.5"),
        ({"lr": math.nan}, "`it.lr` to be finite and at least 0, got nan"),
        ({"max_lr": [0.1, -0.1]}, r"`it.max_lr` to be finite and at least 0, got \[0.1, -0.1\]"),
        ({"momentum": 0.9, "base_lr": (-1, 1)}, r"`it.base_lr` to be finite and at least 0, got \(-1, 1\)"),
        ({"betas": (0.9, math.nan)}, r"`it.betas` to be finite, got \(0.9, nan\)"),
        ({"weight_decay": -INF}, "`it.weight_decay` to be finite, got -inf"),
    ],
)
def test_what_is_not_finite_and_rates_below_0_are_refused(arguments, said):
    with pytest.raises(InputError, match=f"Expected {said}$"):
        check_numbers("it", arguments)


def test_everything_else_passes():
    check_numbers("it", {"lr": 0, "max_lr": [0.0, 0.5], "initial_lr": 1e-9, "base_lr": (0, 0.25)})
    check_numbers("it", {"last_epoch": -1, "gamma": -0.5, "milestones": [-2, 3], "fused": True})
    check_numbers("it", {"mode": "min", "foreach": None, "lr_lambda": abs, "betas": ["x", None]})
