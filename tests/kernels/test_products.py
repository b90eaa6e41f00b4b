import pytest
import torch
from torch.testing import assert_close

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.kernels.cpu import choice, products
from snn_synth.kernels.products import spike_linear

WAYS = [
    "float32",
    "listed",
    pytest.param("tiles", marks=pytest.mark.skipif("tiles" not in products.available(), reason="needs AMX")),
]


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def relative(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def everything(spikes, weight, delta):
    spikes, weight = spikes.clone().requires_grad_(), weight.clone().requires_grad_()
    currents = spike_linear(spikes, weight)
    return currents.detach(), *torch.autograd.grad((currents * delta).sum(), [spikes, weight])


def wanted(spikes, weight, delta):
    spikes, weight, delta = spikes.double(), weight.double(), delta.double()
    by_weight = torch.einsum("tbo,tbi->oi", delta, spikes)
    return spikes @ weight.T, delta @ weight, by_weight


SPIKES, WEIGHT, DELTA = (draw(6, 20, 300) > 1).float(), draw(70, 300, seed=1), draw(6, 20, 70, seed=2)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_exact_forward(way, precision, monkeypatch):
    monkeypatch.setattr(products, "has_bfloat16", lambda: True)
    with kernels.use("numba", way), kernels.precision(precision):
        ours = everything(SPIKES, WEIGHT, DELTA)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert relative(ours[0], theirs[0]) < 5e-7
    bound = 5e-7 if precision == "float32" else 5e-3
    assert all(relative(a, b) < bound for a, b in zip(ours[1:], theirs[1:], strict=True))
    if precision == "mixed":
        assert relative(ours[1], theirs[1]) > 1e-4  # it was bfloat16


def test_mixed_precision_rounds_nothing_without_hardware_for_it(monkeypatch):
    monkeypatch.setattr(products, "has_bfloat16", lambda: False)
    with kernels.use("numba", "float32"), kernels.precision("mixed"):
        ours = everything(SPIKES, WEIGHT, DELTA)
    assert all(relative(a, b) < 5e-7 for a, b in zip(ours, wanted(SPIKES, WEIGHT, DELTA), strict=True))


@pytest.mark.parametrize("way", ["float32", WAYS[-1]])
def test_bfloat16_both_ways(way):
    with kernels.use("numba", way), kernels.precision("bfloat16"):
        ours = everything(SPIKES, WEIGHT, DELTA)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert all(1e-4 < relative(a, b) < 1e-2 for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_values_that_are_not_spikes_are_not_rounded(way):
    with kernels.use("numba", way):
        ours = everything(SPIKES * 0.3, WEIGHT, DELTA)
    theirs = wanted(SPIKES * 0.3, WEIGHT, DELTA)
    assert all(relative(a, b) < 5e-7 for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_noticed(way, value):
    weight = WEIGHT.clone()
    weight[3, 5] = value
    with kernels.use("numba", way):
        currents = spike_linear(torch.ones_like(SPIKES), weight)
    assert not currents[..., 3].isfinite().any()
    assert currents[..., :3].isfinite().all()


def test_float64_and_autocast_are_left_alone():
    with kernels.precision("bfloat16"):
        assert relative(spike_linear(SPIKES.double(), WEIGHT.double()), wanted(SPIKES, WEIGHT, DELTA)[0]) < 1e-14
        with torch.autocast("cpu", torch.bfloat16):
            assert spike_linear(SPIKES, WEIGHT).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(6, 20, 300), (1, 1, 3), (40, 1, 64)])
def test_strided_spikes_and_weights(shape):
    spikes, weight = (draw(*shape) > 1).float().transpose(0, 1), draw(shape[-1], 70, seed=1).T
    assert_close(spike_linear(spikes, weight).double(), spikes.double() @ weight.double().T, rtol=1e-5, atol=1e-5)


def test_what_is_fastest_is_asked_for_once_and_adopted(monkeypatch):
    monkeypatch.setattr(products, "WORTH", 0)
    monkeypatch.setattr(choice, "_chosen", {})
    spike_linear(SPIKES, WEIGHT)
    found = kernels.choices()
    assert set(found.values()) <= set(products.available())
    (key,) = found
    assert key == "float32 product of spikes, 112x64x256, up to 0.2, " + key.rsplit(", ", 1)[1]
    kernels.adopt_choices({key: "listed"})
    used = []
    listed = products.WAYS["listed"]
    forward = lambda *inputs: used.append(1) or listed.forward(*inputs)  # noqa: E731
    monkeypatch.setitem(products.WAYS, "listed", listed._replace(forward=forward))
    spike_linear(SPIKES, WEIGHT)
    assert used == [1]
    kernels.adopt_choices({key: "of another machine"})
    kernels.adopt_choices(["no choices"])
    assert kernels.choices() == {key: "listed"}


@pytest.fixture
def measured(monkeypatch):
    """Choices are made even of small products, anew, and nothing of them stays."""
    monkeypatch.setattr(products, "WORTH", 0)
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "_file", lambda: None)
    monkeypatch.setattr(choice, "SECONDS", 0)


def test_without_gradients_the_product_alone_is_measured(measured):
    weight = WEIGHT.clone().requires_grad_()
    with torch.no_grad():
        spike_linear(SPIKES, weight)
    assert [key.split(",")[0] for key in kernels.choices()] == ["float32 product of spikes"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_whatever_is_the_default(measured, dtype, device):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            ours = everything(SPIKES, WEIGHT, DELTA)
    finally:
        torch.set_default_dtype(before)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert all(x.dtype == torch.float32 and relative(x, y) < 5e-7 for x, y in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_a_choice_for_other_sizes_is_not_taken(measured, way):
    """Of a checkpoint from outside: lists need wide layers, and would write beside a narrow one's results."""
    weight = WEIGHT[:3]
    spike_linear(SPIKES, weight)
    kernels.adopt_choices(dict.fromkeys(kernels.choices(), way))
    assert relative(spike_linear(SPIKES, weight), wanted(SPIKES, weight, DELTA[..., :3])[0]) < 5e-7


@pytest.mark.parametrize("way", WAYS)
def test_layers_of_no_neurons(way):
    weight, spikes = WEIGHT[:0].clone().requires_grad_(), SPIKES.clone().requires_grad_()
    with kernels.use("numba", way):
        currents = spike_linear(spikes, weight)
        currents.sum().backward()
    assert currents.shape == (6, 20, 0)
    assert not spikes.grad.any()


def test_a_machine_without_amx(monkeypatch, measured):
    monkeypatch.setattr(products, "has_amx", lambda: False)
    assert products.available() == ["float32", "listed"]
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    for way in (None, "tiles"):
        with kernels.use("numba", way):
            ours = everything(SPIKES, WEIGHT, DELTA)
        assert all(relative(a, b) < 5e-7 for a, b in zip(ours, theirs, strict=True))
    assert set(kernels.choices().values()) <= {"float32", "listed"}


def test_unknown_names():
    with pytest.raises(InputError, match="precision"):
        kernels.precision("float16").__enter__()
    with pytest.raises(InputError, match="Expected a product of"):
        kernels.use("numba", "fastest").__enter__()
    with pytest.raises(InputError, match="with the backend 'numba'"):
        kernels.use("reference", "tiles").__enter__()
