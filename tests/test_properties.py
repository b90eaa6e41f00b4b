"""What holds for every input, tried on inputs that hypothesis draws; the same ones each time where CI is set."""

import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from snn_synth.codec import pack, quantize, unpack
from snn_synth.data import leave_one_speaker_out, random_split, split_by_speaker
from snn_synth.encoding import (
    even_encode,
    latency_encode,
    low_discrepancy_encode,
    poisson_encode,
    sample_keys,
    spike_times,
    times_to_values,
)
from snn_synth.errors import InputError
from snn_synth.functional import (
    Trace,
    firing_rate,
    keyed_uniform,
    lif_scan,
    pixel_mse,
    precision_recall,
    spike_mse,
    standardized_mse,
)
from snn_synth.interop.nir import from_nir, to_nir
from snn_synth.models import SpikingStack

RATE_CODES = st.sampled_from([poisson_encode, low_discrepancy_encode, even_encode])
SEEDS = st.integers(0, 2**32)
SMALL = st.integers(1, 7)


def tried(examples):
    return settings(
        max_examples=examples,
        derandomize="CI" in os.environ,
        database=None,
        deadline=None,  # nor a limit to what drawing takes: the machine may be busy
        suppress_health_check=[HealthCheck.too_slow],
    )


def drawn(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Codes


@tried(60)
@given(num_steps=SMALL, batch=st.integers(0, 4), neurons=st.integers(1, 20), rate=st.floats(0, 1), seed=SEEDS)
def test_maps_come_back_from_their_bits(num_steps, batch, neurons, rate, seed):
    spikes = (drawn(seed, num_steps, batch, neurons) < rate).float()
    packed = pack(spikes)
    assert packed.data.shape == (batch, -(-num_steps * neurons // 8))
    assert torch.equal(unpack(packed), spikes)


@tried(60)
@given(bits=st.integers(1, 16), size=st.integers(1, 30), scale=st.floats(1e-3, 1e3), seed=SEEDS)
def test_rounding_to_levels_moves_no_value_by_more_than_half_of_one(bits, size, scale, seed):
    values = scale * drawn(seed, size)
    rounded = quantize(values, bits)
    level = values.max() / (2**bits - 1)
    assert ((rounded - values).abs() <= level * (0.5 + 1e-9)).all()
    assert len((rounded / level).round().unique()) <= 2**bits
    torch.testing.assert_close(quantize(rounded, bits), rounded)


@tried(40)
@given(
    code=RATE_CODES, batch=SMALL, pixels=SMALL, num_steps=SMALL, max_rate=st.floats(0, 1), seed=SEEDS, data=st.data()
)
def test_a_sample_is_encoded_by_its_key_alone(code, batch, pixels, num_steps, max_rate, seed, data):
    x, keys = drawn(seed, batch, pixels).float(), sample_keys(seed, torch.arange(batch))
    spikes = code(x, num_steps, max_rate, keys=keys)
    order = torch.tensor(data.draw(st.lists(st.integers(0, batch - 1), max_size=9)), dtype=torch.int64)
    assert torch.equal(code(x[order], num_steps, max_rate, keys=keys[order]), spikes[:, order])
    assert torch.equal(code(x, num_steps + 5, max_rate, keys=keys)[:num_steps], spikes)
    assert torch.equal(code(x[:, :1], num_steps, max_rate, keys=keys), spikes[:, :, :1])
    assert ((spikes == 0) | (spikes == 1)).all()


@tried(40)
@given(code=RATE_CODES, num_steps=st.integers(1, 40), seed=SEEDS)
def test_a_brighter_pixel_fires_no_less(code, num_steps, seed):
    """By the same key; the even code, whose spikes move, in their number to one."""
    x, keys = drawn(seed, 3, 8).float(), sample_keys(seed, torch.arange(3))
    dark, bright = (code(pixels, num_steps, keys=keys) for pixels in (x * 0.7, x))
    if code is even_encode:
        assert ((bright.sum(0) - num_steps * x).abs() < 1 + 1e-4).all()
        assert (dark.sum(0) <= bright.sum(0)).all()
    else:
        assert (dark <= bright).all()


@tried(40)
@given(seed=st.integers(-(2**63), 2**63 - 1), epoch=SEEDS, count=SMALL)
def test_keys_of_parts_are_those_of_the_whole(seed, epoch, count):
    keys = sample_keys(seed, epoch, torch.arange(20))
    assert torch.equal(sample_keys(seed, epoch, torch.arange(count, 20)), keys[count:])
    assert (keys >= 0).all()
    uniform = keyed_uniform(keys, 9)
    assert torch.equal(keyed_uniform(keys, count), uniform[:, :count])
    assert ((uniform >= 0) & (uniform < 1)).all()


@tried(40)
@given(values=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=12), num_steps=st.integers(1, 50))
def test_the_larger_value_fires_no_later(values, num_steps):
    x = torch.tensor(sorted(values, reverse=True))
    spikes = latency_encode(x, num_steps)
    assert torch.equal(spikes.sum(0), (x > 0).float())
    first = spikes.argmax(0)[x > 0]
    assert (first.diff() >= 0).all()
    torch.testing.assert_close(times_to_values(spike_times(x)), x)


# Gradients


@tried(40)
@given(
    decay=st.floats(0, 1),
    threshold=st.floats(0.2, 2),
    slope=st.floats(0.5, 5),
    reset=st.sampled_from(["zero", "subtract"]),
    seed=SEEDS,
)
def test_gradients_are_those_of_a_smooth_spike_where_no_neuron_changes_its_mind(decay, threshold, slope, reset, seed):
    """Resets are constants then, and a sigmoid in the place of the spike has differences."""
    x, weight = drawn(seed, 6, 3, 5), 2 * drawn(seed + 1, 4, 5) - 0.5
    by_spikes, by_membranes = drawn(seed + 2, 2, 6, 3, 4) - 0.5
    numbers = [torch.tensor(n, dtype=torch.float64) for n in (decay, threshold)]

    def run(weight, decay, threshold):
        return lif_scan(x @ weight.T, None, decay, threshold, slope, reset)

    def smooth(weight, decay, threshold):
        spikes, membranes = run(weight, decay, threshold)
        fired = torch.sigmoid(slope * (membranes - threshold))
        return spikes, (by_spikes * fired).sum() + (by_membranes * membranes).sum()

    learned = [tensor.clone().requires_grad_() for tensor in (weight, *numbers)]
    spikes, membranes = run(*learned)
    assume((membranes - threshold).abs().min() > 1e-4)
    gradients = torch.autograd.grad((by_spikes * spikes).sum() + (by_membranes * membranes).sum(), learned)
    step = 1e-7
    for i, gradient in enumerate(gradients):
        way = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        ends = []
        for sign in (1, -1):
            moved = [weight, *numbers]
            moved[i] = moved[i] + sign * step * way
            fired, value = smooth(*moved)
            assert torch.equal(fired, spikes)
            ends.append(value)
        expected = (ends[0] - ends[1]).item() / (2 * step)
        assert (gradient * way).sum().item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@tried(40)
@given(decay=st.floats(0, 1), steps=SMALL, batch=SMALL, inputs=SMALL, outputs=SMALL, rate=st.floats(0, 1), seed=SEEDS)
def test_two_leaky_sums_make_every_trace(decay, steps, batch, inputs, outputs, rate, seed):
    """e[t] = Y[t] - decay^(t - r) Y[r], against the trace of each synapse, which a spike resets."""
    presynaptic = (drawn(seed, steps, batch, inputs) < 0.5).double()
    fired = (drawn(seed + 1, steps, batch, outputs) < rate).double()
    deltas = drawn(seed + 2, steps, batch, outputs) - 0.5
    operator = nn.Linear(inputs, outputs, bias=False, dtype=torch.float64)
    trace, stored = Trace(decay, steps), np.zeros((batch, outputs, inputs))
    for t in range(steps):
        kept = 1 - fired[t - 1].numpy() if t else np.ones((batch, outputs))
        stored = decay * stored * kept[..., None] + presynaptic[t].numpy()[:, None]
        trace.integrate(presynaptic[t])
        (found,) = trace.weight_gradients(operator, deltas[t])
        np.testing.assert_allclose(found, np.einsum("bm,bmn->mn", deltas[t].numpy(), stored), atol=1e-12)
        trace.reset(fired[t])


# Measures


@tried(60)
@given(batch=SMALL, pixels=st.integers(2, 20), scale=st.floats(0.01, 100), shift=st.floats(-10, 10), seed=SEEDS)
def test_errors_lie_in_their_bounds(batch, pixels, scale, shift, seed):
    images, outputs = drawn(seed, 2, batch, pixels)
    error = standardized_mse(outputs, images)
    assert ((error >= 0) & (error <= 4 + 1e-9)).all()
    torch.testing.assert_close(standardized_mse(images, outputs), error)
    torch.testing.assert_close(standardized_mse(scale * outputs + shift, images), error, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(standardized_mse(-images, images), torch.full_like(error, 4))
    assert standardized_mse(images, images).max() < 1e-12
    torch.testing.assert_close(standardized_mse(torch.full_like(images, shift), images), torch.ones_like(error))
    pixel = pixel_mse(outputs, images)
    assert ((pixel >= 0) & (pixel <= 1)).all()


@tried(40)
@given(steps=SMALL, batch=SMALL, neurons=st.integers(2, 20), rate=st.floats(0, 1), seed=SEEDS)
def test_measures_of_spikes_lie_in_their_bounds(steps, batch, neurons, rate, seed):
    spikes, others = (drawn(seed, 2, steps, batch, neurons) < rate).float()
    error, fired = spike_mse(spikes, others), firing_rate(spikes)
    assert ((error >= 0) & (error <= 4 + 1e-5)).all()
    assert ((fired >= 0) & (fired <= 1)).all()
    torch.testing.assert_close(spike_mse(spikes.flip(0), others), error)  # it sums over time


@tried(20)
@given(real=st.integers(4, 12), generated=st.integers(4, 12), seed=SEEDS)
def test_precision_and_recall_are_shares(real, generated, seed):
    a, b = drawn(seed, real, 3), drawn(seed + 1, generated, 3)
    both = torch.as_tensor(precision_recall(a, b, 2))
    assert ((both >= 0) & (both <= 1)).all()
    assert torch.equal(torch.as_tensor(precision_recall(b, a, 2)), both.flip(0))
    assert torch.as_tensor(precision_recall(a, a, 2)).tolist() == [1, 1]


# Splits

NAMES = st.sampled_from(["anna", "ben", "cleo", "dan", "eve"])


@tried(60)
@given(speakers=st.lists(NAMES, min_size=3, max_size=30), held_out=st.sets(NAMES, min_size=1, max_size=3))
def test_no_speaker_is_on_both_sides(speakers, held_out):
    if not held_out < set(speakers):
        with pytest.raises(InputError):
            split_by_speaker(speakers, sorted(held_out))
        return
    splits = [(split_by_speaker(speakers, sorted(held_out)), held_out)]
    if len(set(speakers)) >= 3:
        splits += [(leave_one_speaker_out(speakers, [name]), {name}) for name in set(speakers)]
    for (rest, part), names in splits:
        assert sorted([*rest.tolist(), *part.tolist()]) == list(range(len(speakers)))
        assert {speakers[i] for i in part} == names
        assert not {speakers[i] for i in rest} & names


@tried(40)
@given(n=st.integers(10, 200), fraction=st.floats(0.1, 0.9), seed=SEEDS)
def test_a_random_split_is_a_partition(n, fraction, seed):
    rest, part = random_split(n, fraction, seed)
    assert sorted([*rest.tolist(), *part.tolist()]) == list(range(n))
    assert abs(len(part) - fraction * n) <= 1


# Exports


@tried(10)
@given(sizes=st.lists(SMALL, min_size=2, max_size=4), alpha=st.floats(0, 0.9), threshold=st.floats(0.1, 3), seed=SEEDS)
def test_a_network_comes_back_from_nir(sizes, alpha, threshold, seed):
    torch.manual_seed(seed)
    net = SpikingStack(sizes, alpha, threshold)
    spikes = (drawn(seed, 9, 2, sizes[0]) < 0.5).float()
    found, wanted = from_nir(to_nir(net))(spikes), net(spikes)
    assert torch.equal(found.spikes, wanted.spikes)
    assert torch.equal(found.membrane, wanted.membrane)
