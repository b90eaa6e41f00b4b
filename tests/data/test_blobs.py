import itertools
import math

import numpy as np
import pytest
import torch

from snn_synth.data import drifting_blobs, pair_index
from snn_synth.errors import InputError


def test_blobs_drift_by_the_equations():
    """The same, one blob and one step at a time, from the same draws."""
    count, steps, neurons = 7, 60, 20
    generator = torch.Generator().manual_seed(3)
    draw = {"dtype": torch.float64, "generator": generator}
    start = torch.rand(count, **draw).numpy()
    noise = [torch.randn(2, count, **draw).numpy() for _ in range(steps)]
    places = -math.pi + 2 * math.pi * np.arange(neurons) / neurons
    found = drifting_blobs(count, steps, neurons, seed=3)
    for b in range(count):
        angle, speed, amplitude = (2 * start[b] - 1) * math.pi, 1.0, 0.5
        for t in range(steps):
            xi, eta = noise[t][0][b], noise[t][1][b]
            blob = amplitude * (angle + 0.45 * xi)
            blob = (blob + math.pi) % (2 * math.pi) - math.pi
            assert found[b, t] == np.abs(places - blob).argmin()
            angle, speed, amplitude = angle + speed, 0.9 * speed - 0.14 * eta, 0.99 * amplitude + 0.01 * eta


def test_pairs_are_numbered_in_order():
    pairs = torch.tensor(list(itertools.combinations_with_replacement(range(20), 2)))
    assert len(pairs) == 210
    assert pair_index(pairs[:, 0], pairs[:, 1], 20).tolist() == list(range(210))
    assert pair_index(pairs[:, 1], pairs[:, 0], 20).tolist() == list(range(210))


def test_twenty_neurons_and_seed_0_are_meant_where_nothing_is_said():
    assert torch.equal(drifting_blobs(5, 40), drifting_blobs(5, 40, neurons=20, seed=0))


def test_one_of_each_is_enough():
    assert drifting_blobs(1, 1, 1).tolist() == [[0]]


def test_bad_input():
    with pytest.raises(InputError, match="Expected blobs, steps and neurons of at least 1, got 3, 0 and 20"):
        drifting_blobs(3, 0)
