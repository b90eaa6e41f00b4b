import itertools

import pytest
import torch

from snn_synth.encoding import poisson_encode
from snn_synth.errors import InputError
from snn_synth.functional import bernoulli_log_prob, score_function_loss
from snn_synth.models import HybridVAE
from snn_synth.models.readout import StochasticReadout
from snn_synth.models.time_decoder import TimeDecoder


def forced(readout: StochasticReadout, inputs, code):
    """Log-probability of a given code, by the equation, step by step."""
    total = 0.0
    for t in range(len(code)):
        current = readout.bias.clone()
        for k, lag in itertools.product(range(len(readout.bases)), range(readout.bases.shape[1])):
            if t - lag >= 0:
                current = current + readout.bases[k, lag] * (inputs[t - lag] @ readout.weight[k].T)
        for lag in range(len(readout.feedback_basis)):
            if t - lag - 1 >= 0:
                current = current + readout.feedback * readout.feedback_basis[lag] * code[t - lag - 1]
        total = total + bernoulli_log_prob(current, code[t]).sum(-1)
    return total


@pytest.fixture
def readout():
    torch.manual_seed(0)
    made = StochasticReadout(3, 2, n_basis=2, memory=4).double()
    with torch.no_grad():
        made.feedback.copy_(torch.tensor([1.5, -1.0]))
        made.bias.copy_(torch.tensor([0.3, -0.2]))
    return made


INPUTS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)


def test_the_log_probability_of_a_drawn_code_is_that_of_the_equation(readout):
    inputs = INPUTS[:, None].expand(3, 50, 3)
    code, logits = readout(inputs, torch.Generator().manual_seed(0))
    found = bernoulli_log_prob(logits, code).sum((0, 2))
    torch.testing.assert_close(found, forced(readout, inputs, code))


def test_codes_are_drawn_with_their_probabilities(readout):
    count = 40_000
    code, _ = readout(INPUTS[:, None].expand(3, count, 3), torch.Generator().manual_seed(0))
    for pattern in itertools.islice(itertools.product((0.0, 1.0), repeat=6), 0, 64, 7):
        wanted = torch.tensor(pattern, dtype=torch.float64).view(3, 2)
        p = forced(readout, INPUTS[:, None], wanted[:, None]).exp().item()
        found = (code == wanted[:, None]).all(2).all(0).double().mean().item()
        assert abs(found - p) < 4 * (p * (1 - p) / count) ** 0.5


def test_the_mean_of_the_estimated_gradients_is_the_enumerated_one(readout):
    """Two neurons over three steps have 64 codes: the expected loss and its gradient can be summed up."""
    weights = torch.randn(6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def loss(code):  # [T, B, N] to [B], not additive
        flat = code.transpose(0, 1).flatten(1)
        return (flat @ weights).square() + flat[:, 0] * flat[:, 5]

    codes = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6)), dtype=torch.float64)
    codes = codes.view(64, 3, 2).transpose(0, 1)
    inputs = INPUTS[:, None].expand(3, 64, 3)
    parameters = list(readout.parameters())
    expected_loss = (forced(readout, inputs, codes).exp() * loss(codes)).sum()
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(expected_loss, parameters)])

    generator, estimates = torch.Generator().manual_seed(5), []
    for _ in range(1_000):
        code, logits = readout(INPUTS[:, None].expand(3, 50, 3), generator, draws=4)
        losses = loss(code.requires_grad_())
        (slopes,) = torch.autograd.grad(losses.sum(), code)
        by_draw = [of.view(3, 4, 50, 2) for of in (slopes, logits, code.detach())]
        objective = score_function_loss(losses.view(4, 50), *by_draw)
        estimates.append(torch.cat([g.flatten() for g in torch.autograd.grad(objective, parameters)]))
    found = torch.stack(estimates)
    error = found.std(0) / len(found) ** 0.5
    assert (found.mean(0) - exact).abs().max() > 0
    assert ((found.mean(0) - exact).abs() < 3 * error + 1e-12).all()
    assert exact.norm() > 10 * error.norm(), "the noise does not hide a wrong estimator"


def test_the_information_is_the_mean_log_ratio():
    vae = HybridVAE(4, 5, 3, num_steps=6, outputs=4)
    out = vae(torch.ones(6, 2, 4), torch.Generator().manual_seed(0))
    p, z = out.logits.sigmoid(), out.code
    ratio = torch.where(z > 0, (p / 0.3).log(), ((1 - p) / 0.7).log())
    torch.testing.assert_close(out.information(0.3), ratio.mean((0, 2)))


@pytest.mark.parametrize("decoding", ["mlp", "linear", "conv", "rate"])
def test_decoders_see_time_or_only_rates(decoding):
    torch.manual_seed(0)
    decoder = TimeDecoder(16, 12, 9, decoding)
    spikes = (torch.rand(12, 5, 16, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    assert decoder(spikes).shape == (5, 9)
    shuffled = spikes[torch.randperm(12, generator=torch.Generator().manual_seed(1))]
    assert torch.allclose(decoder(shuffled), decoder(spikes), atol=1e-6) == (decoding == "rate")


def test_a_saved_model_draws_the_same(tmp_path):
    vae = HybridVAE(4, 5, 3, 6, outputs=4)
    vae.save_pretrained(tmp_path / "vae")
    again = HybridVAE.from_pretrained(tmp_path / "vae")
    spikes = torch.ones(6, 2, 4)
    first, second = (v(spikes, torch.Generator().manual_seed(0)) for v in (vae, again))
    assert torch.equal(first.code, second.code)
    assert torch.equal(first.pixels, second.pixels)


def test_an_image_is_redrawn_by_the_spikes_of_its_rates():
    vae, images = HybridVAE(4, 5, 3, 6, outputs=4), torch.tensor([[[[0.0, 1.0], [1.0, 0.0]]]])
    drawn = vae.reconstruct(images, torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    spikes = poisson_encode(images.flatten(1), 6, generator=generator)
    assert spikes.sum(0).tolist() == [[0, 6, 6, 0]]
    assert torch.equal(drawn, vae(spikes, generator).pixels.sigmoid().view(1, 1, 2, 2))


def test_bad_input():
    with pytest.raises(InputError, match=r"Expected `decoding` of \['mlp', 'linear', 'conv', 'rate'\], got 'lstm'"):
        HybridVAE(decoding="lstm")
    with pytest.raises(InputError, match=r"Expected spikes of shape \[16, B, 784\], got \[15, 2, 784\]"):
        HybridVAE()(torch.zeros(15, 2, 784))
    with pytest.raises(InputError, match=r"Expected spikes of shape \[6, B, 4\] for this decoder, got \[5, 2, 4\]"):
        TimeDecoder(4, 6, 9)(torch.zeros(5, 2, 4))
    with pytest.raises(InputError, match="Expected 7 neurons and 2 steps or more to convolve, got 6 and 8"):
        TimeDecoder(6, 8, 9, "conv")
    with pytest.raises(InputError, match="Expected sizes of at least 1, got 3, 2, 0 and 10"):
        StochasticReadout(3, 2, n_basis=0)
    with pytest.raises(InputError, match="Expected sizes of at least 1, got 784, 0, 64, 16 and 784"):
        HybridVAE(hidden=0)
    with pytest.raises(InputError, match="Expected a network of 784 outputs, its inputs, got 9"):
        HybridVAE(outputs=9).reconstruct(torch.zeros(2, 1, 28, 28))
