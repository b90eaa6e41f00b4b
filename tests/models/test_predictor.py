import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.models import HybridPredictor


def test_each_score_reads_the_last_steps_of_the_code():
    torch.manual_seed(0)
    predictor = HybridPredictor(inputs=4, outputs=6, latent=3, window=2)
    spikes = (torch.rand(7, 5, 4) < 0.5).float()
    out = predictor(spikes, torch.Generator().manual_seed(1))
    weight, bias = predictor.decoder.layers[1].weight, predictor.decoder.layers[1].bias
    for t in range(1, 7):
        read = torch.cat([out.code[t - 1], out.code[t]], 1)  # step by step
        torch.testing.assert_close(out.scores[t - 1], read @ weight.T + bias)
    assert out.scores.shape == (6, 5, 6)


def test_a_readout_knows_only_what_came_until_now():
    torch.manual_seed(0)
    predictor = HybridPredictor(inputs=4, outputs=6, latent=3, window=2)
    spikes = torch.zeros(7, 1, 4)
    later = spikes.clone()
    later[3] = 1
    first, second = (predictor(s, torch.Generator().manual_seed(1)).logits for s in (spikes, later))
    assert torch.equal(first[:3], second[:3])
    assert not torch.equal(first[3], second[3])


def test_the_information_of_each_step_is_the_mean_log_ratio():
    predictor = HybridPredictor(inputs=4, outputs=6, latent=3, window=2)
    out = predictor(torch.ones(7, 5, 4), torch.Generator().manual_seed(1))
    p, z = out.logits.sigmoid(), out.code
    ratio = torch.where(z > 0, (p / 0.2).log(), ((1 - p) / 0.8).log())
    torch.testing.assert_close(out.information(0.2), ratio.mean(2))


def test_bad_input():
    with pytest.raises(InputError, match="Expected sizes of at least 1, got 20, 210, 0 and 5"):
        HybridPredictor(latent=0)
    with pytest.raises(
        InputError, match=r"Expected spikes of shape \[T, B, 20\] with T of at least 5, got \[4, 2, 20\]"
    ):
        HybridPredictor()(torch.zeros(4, 2, 20))
