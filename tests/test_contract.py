"""What every public neuron, layer, model, loss and encoder does with the forms that people give it.

Batches of none, one and several samples, one step and a thousand, every floating dtype, memory in any order, inference
mode, copies, averaged weights, the compiler. A new public object has to be added to tests/public.py.
"""

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from snn_synth import models, neurons, surrogate, synapses, ttfs
from snn_synth.neurons import SigmoidLeaky
from tests.public import CASES, ENCODERS, KEYED, LEARNED, LOSSES, NO_MODULES, T, by_labels, encoded, random, spikes

DTYPES = [torch.float16, torch.bfloat16, torch.float64]
HALVES = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))
EACH = pytest.mark.parametrize("name", CASES)
# Networks that refuse values out of range, or number what they find in a table.
LOOKING = {
    *("AlphaTTFSLinear", "TTFSIFLinear", "TemporalCodingAE", "FirstSpikeClassifier"),
    *("ImageClassifier", "DeepImageClassifier", "SpikingVQAE", "SpikingTokenDenoiser"),
}


def test_every_public_module_is_here():
    public = {
        name
        for package in (surrogate, neurons, synapses, ttfs, models)
        for name in package.__all__
        if isinstance(kind := getattr(package, name), type) and issubclass(kind, nn.Module)
    }
    assert {name.split(" ")[0] for name in CASES} == public - NO_MODULES


def made(name):
    torch.manual_seed(0)
    module = CASES[name].make().eval()
    given = CASES[name].given(5)
    return module, given, lambda net, x: CASES[name].run(net, x)


def same(found, wanted, **tolerance):
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@EACH
def test_batches_of_none_of_one_and_of_some(name):
    module, given, run = made(name)
    whole = run(module, given)
    assert all(len(y) == 5 and not y.isnan().any() for y in whole)
    for part in (given[:0], given[:1], given[:3]):
        outputs = run(module, part)
        for found, wanted in zip(outputs, whole, strict=True):
            assert found.shape == (len(part), *wanted.shape[1:])
            assert found.dtype == wanted.dtype
        if not CASES[name].drawn:
            same(outputs, [y[: len(part)] for y in whole], rtol=1e-5, atol=1e-6)


@EACH
def test_memory_in_any_order_inference_mode_and_copies(name):
    module, given, run = made(name)
    whole = run(module, given)
    turned = given.transpose(0, -1).contiguous().transpose(0, -1)
    spread = given.repeat_interleave(2, 0)[::2]
    same(run(module, turned), whole, rtol=1e-5, atol=1e-6)
    same(run(module, spread), whole, rtol=1e-5, atol=1e-6)
    with torch.inference_mode():
        same(run(module, given), whole, rtol=1e-5, atol=1e-6)
        same(run(module, given.clone()), whole, rtol=1e-5, atol=1e-6)
    for again in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        same(run(again, given), whole, rtol=0, atol=0)
        assert not {id(x) for x in again.parameters()} & {id(x) for x in module.parameters()}
    fresh = CASES[name].make().eval()
    fresh.load_state_dict(module.state_dict())
    same(run(fresh, given), whole, rtol=0, atol=0)


def tensors(value):
    """All tensors in an object's attributes and in what these contain."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple, nn.Module)):
        parts = vars(value) if isinstance(value, nn.Module) else value
        for part in parts.values() if isinstance(parts, dict) else parts:
            yield from tensors(part)


@EACH
def test_a_moved_module_leaves_nothing_behind(name):
    """The meta device refuses tensors of others, but single numbers; it has no values, at which some networks look."""
    module, given, run = made(name)
    elsewhere = copy.deepcopy(module).to("meta")
    assert {x.device.type for x in tensors(elsewhere) if x.dim()} <= {"meta"}
    if not CASES[name].drawn and name not in LOOKING:
        for found, wanted in zip(run(elsewhere, given.to("meta")), run(module, given), strict=True):
            assert (found.device.type, found.shape, found.dtype) == ("meta", wanted.shape, wanted.dtype)


@EACH
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_module_on_the_gpu_and_back(name):
    module, given, run = made(name)
    whole = run(module, given)
    found = run(module.to("cuda"), given.to("cuda"))
    assert {y.device.type for y in found} == {"cuda"}
    if not CASES[name].drawn:
        same([y.cpu() for y in found], whole, rtol=1e-4, atol=1e-5)
    same(run(module.to("cpu"), given), whole, rtol=0, atol=0)


@HALVES
@EACH
def test_the_results_have_the_dtype_of_the_module(name, dtype):
    module, given, run = made(name)
    module = module.to(dtype)
    for found in run(module, given.to(dtype) if given.is_floating_point() else given):
        assert found.dtype in (dtype, torch.int64)
        assert not found.isnan().any()


@EACH
def test_gradients_are_finite_and_reach_the_weights(name):
    module, given, run = made(name)
    outputs = [y for y in run(module, given) if y.requires_grad]
    if not outputs:
        assert (
            name in {"SigmoidCentered", "SigmoidLeaky", "SigmoidLeaky subtract"}
            or CASES[name].run is by_labels
            or (name in {"AudioToImage", "SpokenDiffusion"})
        )
        return
    sum((torch.where(y.isfinite(), y, 0) * random(*y.shape)).sum() for y in outputs).backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert gradients
    assert all(g.isfinite().all() for g in gradients)
    assert any(g.any() for g in gradients)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if list(case.make().parameters())])
def test_averaged_weights_are_their_mean(name):
    """Of two states; what is no parameter comes from the first."""
    module, given, run = made(name)
    averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    averaged.update_parameters(module)
    same(run(averaged.module, given), run(module, given), rtol=0, atol=0)
    first = [p.detach().clone() for p in module.parameters()]
    with torch.no_grad():
        for p in module.parameters():
            p.mul_(0.5)
    averaged.update_parameters(module)
    for p, mean in zip(first, averaged.module.parameters(), strict=True):
        torch.testing.assert_close(mean, 0.75 * p)
    assert not any(y.isnan().any() for y in run(averaged.module, given))


@pytest.mark.parametrize("name", ["SpikingStack", "SpikingStack normed, learned", "AESNN", "ConvAESNN", "SigmoidLeaky"])
def test_a_thousand_steps_begin_like_one(name):
    module, _, run = made(name)
    width = CASES[name].given(1).shape[-1]
    given = CASES[name].given(2) if name == "SigmoidLeaky" else spikes(width, 1000)(2)
    given = given.repeat(1, 200, 1) if name == "SigmoidLeaky" else given
    whole = run(module, given)
    assert all(y.shape[1] == 1000 and y.isfinite().all() for y in whole)
    for count in (1, 7):
        same(run(module, given[:, :count]), [y[:, :count] for y in whole], rtol=1e-5, atol=1e-6)


@EACH
def test_the_compiler_changes_nothing(name):
    module, given, run = made(name)
    torch._dynamo.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = torch.compile(lambda x: run(module, x), backend="eager")(given)
    whole = run(module, given)
    assert [y.shape for y in found] == [y.shape for y in whole]
    if not CASES[name].drawn:
        same(found, whole, rtol=1e-5, atol=1e-6)


# Neurons at the ends of their range


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("threshold", [1e-30, 1.0, 1e30, torch.tensor([1e-30, 0.5, 1.0, 1e30])])
@pytest.mark.parametrize("alpha", [0.0, 1.0, torch.tensor([0.0, 0.5, 0.5, 1.0])])
@pytest.mark.parametrize("num_steps", [1, 1000])
def test_neurons_at_the_ends_of_their_range_are_those_of_a_loop(num_steps, alpha, threshold, reset):
    """Multiples of 1/4: no sum is rounded, but for those with a leak of one half, which agree to rounding."""
    currents = (random(num_steps, 3, 4) * 9).floor() / 4 - 0.75
    currents.requires_grad_()
    spikes, membranes = SigmoidLeaky(alpha, threshold, reset=reset).scan(currents)
    v, fired = torch.zeros(3, 4, dtype=torch.float64), torch.zeros(3, 4)
    decay, height = (1 - torch.as_tensor(alpha)).double(), torch.as_tensor(threshold).double()
    for t in range(num_steps):
        kept = v * (1 - fired) if reset == "zero" else v
        v = decay * kept + currents[t].detach() - (height * fired if reset == "subtract" else 0)
        torch.testing.assert_close(membranes[t].double(), v, rtol=1e-5, atol=1e-5, msg=f"step {t}")
        fired = (membranes[t].double() >= height).double()
        assert torch.equal(spikes[t].double(), fired)
    (spikes.sum() + 1e-3 * membranes.sum()).backward()
    assert currents.grad.isfinite().all()


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize(("beta", "threshold"), [(5.0, 1.0), (-3.0, 1.0), (0.5, 0.0), (0.5, -2.0), (1e30, 1e30)])
def test_learned_numbers_that_an_optimizer_has_moved_too_far_stay_finite(beta, threshold, reset):
    neuron = SigmoidLeaky(reset=reset, **LEARNED)
    with torch.no_grad():
        neuron.beta.fill_(beta)
        neuron.threshold.fill_(threshold)
    outputs = neuron.scan(random(50, 3, 4))
    sum(y.sum() for y in outputs).backward()
    for x in (*outputs, neuron.beta.grad, neuron.threshold.grad):
        assert x.isfinite().all()


# Losses and encoders


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_means_over_the_samples_in_every_form(name):
    loss, outputs, targets = LOSSES[name]
    x, y = outputs(5).requires_grad_(), targets(5)
    whole = loss(x, y)
    assert whole.dim() == 0
    whole.backward()
    assert x.grad.isfinite().all()
    assert x.grad.any()
    parts = 3 * loss(x[:3], y[:3]) + 2 * loss(x[3:], y[3:])
    torch.testing.assert_close(5 * whole, parts)
    turned = [z.detach().transpose(0, -1).contiguous().transpose(0, -1) for z in (x, y)]
    torch.testing.assert_close(loss(*turned), whole)
    assert loss(x[:0], y[:0]).isnan()
    for dtype in DTYPES:
        z = x.detach().to(dtype).requires_grad_()
        found = loss(z, y.to(dtype) if y.is_floating_point() else y)
        found.backward()
        torch.testing.assert_close(found.float(), whole, rtol=0.05, atol=0.05)
        assert z.grad.dtype == dtype
        assert z.grad.isfinite().all()


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_take_every_form(name):
    x = (random(5, 2, 3) * 8).round() / 8
    whole = encoded(name, x)
    for part in (x[:0], x[:1], x[:3]):
        assert torch.equal(encoded(name, part), whole[: len(part)])
    assert torch.equal(encoded(name, x.transpose(0, 2).contiguous().transpose(0, 2)), whole)
    with torch.inference_mode():
        assert torch.equal(encoded(name, x.clone()), whole)
    assert encoded(name, x, 1).shape[2 if whole.dim() == 4 else 1 :] == (2, 3)
    long = encoded(name, x, 1000)
    if name in KEYED:
        assert torch.equal(long[:, :T], whole)
        assert (long.mean(1) - x).abs().max() < 0.06
    for dtype in DTYPES:
        found = encoded(name, x.to(dtype))
        assert found.dtype == dtype
        assert torch.equal(found.float(), whole)
