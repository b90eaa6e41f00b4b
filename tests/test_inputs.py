"""Spikes, targets and images in the dtypes that people have, given to whatever takes them."""

import numpy as np
import pytest
import torch
from torch import nn

from snn_synth.codec import pack, quantize, repeat_map, unpack
from snn_synth.encoding import latency_encode, poisson_encode, spike_times, step_times, times_to_values
from snn_synth.errors import InputError
from snn_synth.functional import gallery_mse, lif_scan, pixel_mse, rate_loss, standardized_mse
from snn_synth.functional.inputs import as_values, number
from snn_synth.learning import bptt_loss, bptt_step, online_step
from snn_synth.losses import masked_membrane_loss
from snn_synth.metrics import Mean, SpikeMSE, StandardizedMSE, firing_rate, synaptic_operations
from snn_synth.models import (
    ACSNN,
    AESNN,
    ESVAE,
    AudioToImage,
    HybridPredictor,
    HybridVAE,
    ImageClassifier,
    SpikingStack,
)
from snn_synth.neurons import SigmoidLeaky
from snn_synth.ttfs import AlphaTTFSLinear, TTFSIFLinear


def read_only(x):
    x = x.numpy()
    x.flags.writeable = False
    return x


FORMS = {
    "bool": lambda x: x.bool(),
    "uint8": lambda x: x.to(torch.uint8),
    "int64": lambda x: x.long(),
    "float64": lambda x: x.double(),
    "float16": lambda x: x.half(),
    "numpy float32": lambda x: x.numpy(),
    "numpy bool": lambda x: x.bool().numpy(),
    "numpy int16": lambda x: x.short().numpy(),
    "numpy uint16": lambda x: x.numpy().astype(np.uint16),
    "numpy float64": lambda x: x.double().numpy(),
    "numpy long double": lambda x: x.numpy().astype(np.longdouble),
    "big-endian": lambda x: x.numpy().astype(">f4"),
    "backwards": lambda x: x.flip(0).numpy()[::-1],
    "read-only": read_only,
}


def spikes_of(*shape, seed=0):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4).float()


def stack():
    torch.manual_seed(0)
    return SpikingStack([6, 5, 4])


def stepped(step):
    """The weights after an update."""

    def run(x, targets):
        net = stack()
        loss = step(net, x, targets, torch.optim.SGD(net.parameters(), lr=0.1))
        return [loss, *(p.detach() for p in net.parameters())]

    return run


def updated(metric):
    def run(*x):
        metric.reset()
        metric.update(*x)
        return metric.compute()

    return run


X, TARGETS, IMAGES = spikes_of(7, 3, 6), spikes_of(7, 3, 4, seed=1), spikes_of(3, 1, 8, 8)
TAKES = {
    "stack": (lambda x: [*(out := stack()(x)).layer_spikes, out.membrane], X),
    "decode": (lambda x: AESNN(6, 4).decode(x).shape, TARGETS),
    "neuron": (lambda x: SigmoidLeaky()(x), X),
    "scan": (lambda x: SigmoidLeaky().scan(x), X),
    "vector scan": (lambda x: SigmoidLeaky(torch.full((6,), 0.5)).scan(x), X),
    "scan loss": (lambda x: SigmoidLeaky().scan_loss(TARGETS * 1.5, x), TARGETS),
    "membrane loss": (lambda x: masked_membrane_loss()(1.5 * TARGETS.flip(0), x), TARGETS),
    "rate loss": (lambda x: rate_loss(TARGETS.flip(0), x), TARGETS),
    "bptt loss": (lambda x, y: bptt_loss(stack(), x, y), X, TARGETS),
    "bptt loss in chunks": (lambda x, y: bptt_loss(stack(), x, y, chunk=3), X, TARGETS),
    "bptt step": (stepped(bptt_step), X, TARGETS),
    "online step": (stepped(online_step), X, TARGETS),
    "hybrid": (lambda x: HybridVAE(6, 5, 4, num_steps=7, outputs=6)(x).pixels.shape, X),
    "predictor": (lambda x: HybridPredictor(6, 3, 2, window=2)(x).scores.shape, X),
    "standardized": (updated(StandardizedMSE()), X[0], X[1]),
    "spike mse": (updated(SpikeMSE()), X, X.flip(0)),
    "mean": (updated(Mean()), X),
    "rate": (firing_rate, X),
    "operations": (lambda x: synaptic_operations(x, 3), X),
    "gallery": (gallery_mse, X[0], X[1]),
    "errors": (standardized_mse, X[0], X[1]),
    "pixel errors": (pixel_mse, X[0], X[1]),
    "codec": (lambda x: unpack(pack(x)), X),
    "repeat": (lambda x: repeat_map(x, 9), X),
    "quantize": (lambda x: quantize(x, 2), X),
}


def same(ours, wanted):
    torch.testing.assert_close(ours, wanted, rtol=1e-3, atol=1e-3, check_dtype=False)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TAKES)
def test_spikes_of_any_dtype_give_what_float32_gives(name, form):
    run, *given = TAKES[name]
    same(run(*map(FORMS[form], given)), run(*given))


ENCODERS = [
    lambda x: poisson_encode(x, 5, keys=torch.arange(3)),
    lambda x: latency_encode(x, 5),
    spike_times,
    lambda x: step_times(x, 5),
    times_to_values,
    lambda x: AESNN(64, 9).reconstruct(x, 4).shape,
    lambda x: AudioToImage(ACSNN(64, 5, 4), AESNN(9, 4), (1, 3, 3)).synthesize(x, 4).shape,
    lambda x: ESVAE(side=8, channels=(4,), latent=3, num_steps=2).eval().reconstruct(x).shape,
    lambda x: ImageClassifier().eval().features(x).shape,
    lambda x: AlphaTTFSLinear(64, 2)(x[:, 0].reshape(3, 64)).shape,
    lambda x: TTFSIFLinear(64, 2, num_steps=8)(x[:, 0].reshape(3, 64)).shape,
]


@pytest.mark.parametrize("form", ["float64", "numpy float32", "numpy float64", "big-endian", "backwards", "read-only"])
@pytest.mark.parametrize("encode", ENCODERS)
def test_images_of_any_floating_dtype_are_encoded(encode, form):
    same(encode(FORMS[form](IMAGES)), encode(IMAGES))


@pytest.mark.parametrize("form", ["uint8", "numpy int16", "bool"])
@pytest.mark.parametrize("encode", ENCODERS[:4] + ENCODERS[5:7])
def test_images_in_integers_may_be_0_to_255_and_are_refused_in_one_sentence(encode, form):
    with pytest.raises(InputError, match=r"Expected values in \[0, 1\] of a floating dtype, got torch"):
        encode(FORMS[form](IMAGES))


NO_NUMBERS = [
    "spikes",
    None,
    [[[1.0]]],
    np.array(["a"]),
    np.array([None]),
    np.zeros(3, complex),
    torch.zeros(7, 3, 6, dtype=torch.complex64),
    X.to_sparse(),
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda x: f"{type(x).__name__}")
@pytest.mark.parametrize("name", TAKES)
def test_what_holds_no_real_numbers_is_refused_in_one_sentence(name, value):
    run, *given = TAKES[name]
    with pytest.raises(InputError, match=r"as a dense tensor or NumPy array of real numbers, got [^\n]*$"):
        run(*[value] * len(given))


def test_gradients_pass_through_a_change_of_dtype():
    x = X.double().requires_grad_()
    bptt_loss(stack(), x, TARGETS).backward()
    assert x.grad.dtype == torch.float64
    assert x.grad.any()


def test_a_double_network_takes_float32_spikes():
    net = stack().double()
    out = net(X)
    assert out.spikes.dtype == out.membrane.dtype == torch.float64
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    assert bptt_step(net, X, TARGETS, optimizer).dtype == torch.float64
    online_step(net, X.bool(), TARGETS.numpy(), optimizer)


def test_nothing_is_copied_that_needs_no_change():
    spikes = lif_scan(3 * X)[0]
    assert firing_rate(spikes).dtype == torch.float32
    linear = nn.Linear(6, 4)
    assert as_values(X, linear.weight) is X


def test_no_samples_and_no_steps_of_metrics_encoders_and_maps():
    none, keys = IMAGES[:0], torch.zeros(0, dtype=torch.int64)
    for encode in (
        lambda x: poisson_encode(x, 5),
        lambda x: poisson_encode(x, 5, keys=keys),
        lambda x: latency_encode(x, 5),
    ):
        assert encode(none).shape == (5, 0, 1, 8, 8)
    assert AESNN(64, 9).reconstruct(none, 4, keys=keys).shape == (0, 1, 8, 8)
    a2i = AudioToImage(ACSNN(64, 5, 4), AESNN(9, 4), (1, 3, 3))
    assert a2i.synthesize(none, 4, keys=keys).shape == (0, 1, 3, 3)
    for metric in (StandardizedMSE(), SpikeMSE()):
        metric.update(X[:, :0], X[:, :0]) if isinstance(metric, SpikeMSE) else metric.update(none, none)
        assert metric.count == 0
    assert firing_rate(X[:, :0]).isnan().all()
    assert unpack(pack(X[:, :0])).shape == (7, 0, 6)
    assert quantize(X[:0], 2).shape == (0, 3, 6)
    for run in (firing_rate, lambda x: synaptic_operations(x, 2), lambda x: SpikeMSE().update(x, x)):
        with pytest.raises(InputError, match=r"spikes of shape \[T, B, ...\], got \[0, 3, 6\] \(T >= 1\)"):
            run(X[:0])
    with pytest.raises(InputError, match="T_h >= 1"):
        repeat_map(X[:0], 3)
    with pytest.raises(InputError, match="T >= 1"):
        rate_loss(X[:0], X[:0])


def test_a_constant_on_a_gpu_is_read_once_and_again_when_it_has_changed():
    reads = []

    class OnGPU(torch.Tensor):
        is_cpu = False

        def __float__(self):
            reads.append(1)
            return super().__float__()

    leak = torch.tensor(0.5).as_subclass(OnGPU)
    assert [number(leak), number(leak), len(reads)] == [0.5, 0.5, 1]
    leak.fill_(0.25)
    assert [number(leak), number(leak), len(reads)] == [0.25, 0.25, 2]
    assert number(torch.tensor(0.75).as_subclass(OnGPU)) == 0.75
