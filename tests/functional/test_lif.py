import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import lif_scan, lif_step
from snn_synth.functional.lif import next_membrane, of_dtype


def test_without_settings_a_tenth_leaks_the_threshold_is_one_and_so_is_the_slope():
    current = torch.tensor([1.0], requires_grad=True)
    for spikes, membrane in (lif_step(current, torch.zeros(1)), (x[0] for x in lif_scan(current[None]))):
        (gradient,) = torch.autograd.grad(spikes.sum(), current)
        assert (spikes.item(), membrane.item(), gradient.item()) == (1, 1, 0.25)
    assert lif_step(torch.zeros(1), torch.tensor([0.5]))[1].item() == pytest.approx(0.45)
    assert lif_scan(torch.zeros(1, 1), torch.tensor([0.5]))[1].item() == pytest.approx(0.45)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_the_scan_has_every_setting_of_its_steps(reset):
    noise = torch.Generator().manual_seed(0)
    currents, start = torch.rand(9, 4, 3, generator=noise), torch.rand(4, 3, generator=noise)
    settings = torch.tensor([0.5, 0.75, 0.9]), torch.tensor([0.7, 0.9, 1.1]), 3.0, reset
    currents.requires_grad_()
    spikes, membranes = lif_scan(currents, start, *settings)
    (gradient,) = torch.autograd.grad(spikes.sum(), currents)
    membrane, expected = start, []
    for t in range(9):
        fired, membrane = lif_step(currents[t], membrane, *settings)
        assert torch.equal(spikes[t], fired)
        assert torch.equal(membranes[t], membrane)
        expected.append(fired)
    torch.testing.assert_close(gradient, torch.autograd.grad(torch.stack(expected).sum(), currents)[0])
    assert 0.2 < spikes.mean() < 0.8


def test_no_gradient_passes_through_the_reset():
    """V[1] = 1.5 fires; of V[2] = 0.5 V[1] + Z[2] - A[1] only the leaky part has a derivative by Z[1]."""
    currents = torch.tensor([[1.5], [0.25]], dtype=torch.float64, requires_grad=True)
    for reset, part in (("subtract", 0.5), ("zero", 0.0)):
        membranes = lif_scan(currents, decay=0.5, reset=reset)[1]
        (gradient,) = torch.autograd.grad(membranes[1].sum(), currents)
        assert gradient.flatten().tolist() == [part, 1]


def test_a_constant_of_each_neuron_takes_the_membranes_dtype_and_one_number_stays_exact():
    membrane = torch.zeros(2)
    assert of_dtype(torch.tensor([0.1, 0.2], dtype=torch.float64), membrane).dtype == torch.float32
    for exact in (torch.tensor(0.1, dtype=torch.float64), 0.1):
        assert of_dtype(exact, membrane) is exact
    each = torch.tensor([0.5, 0.25], dtype=torch.float64)
    after = next_membrane(membrane, membrane + 1, torch.ones(2), each, 2 * each, "subtract")
    assert (after.dtype, after.tolist()) == (torch.float32, [-0.5, -0.25])


def test_bad_input():
    for currents in (torch.zeros(0, 2), torch.tensor(1.0)):
        with pytest.raises(InputError, match=r"currents of shape \[T, B, ...\] with T >= 1, got \[.*\]"):
            lif_scan(currents)
    with pytest.raises(InputError, match=r"Expected membrane of shape \[2, 3\], got \[3\]"):
        lif_scan(torch.zeros(1, 2, 3), torch.zeros(3))
    with pytest.raises(InputError, match=r"Expected a reset of \['zero', 'subtract'\], got 'none'"):
        lif_step(torch.zeros(1), torch.zeros(1), reset="none")
