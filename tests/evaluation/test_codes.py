import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.evaluation import baselines, probe


def test_the_probe_is_as_good_as_the_best_linear_rule():
    """Two Gaussians with means d apart: Phi(d / 2) of the samples lie on their side."""
    noise = torch.Generator().manual_seed(0)
    labels = torch.arange(20_000) % 2
    codes = torch.randn(20_000, 3, generator=noise) * torch.tensor([1.0, 10.0, 0.1])
    codes[:, 0] += 2.0 * labels
    found = probe(codes[:10_000], labels[:10_000], codes[10_000:], labels[10_000:])
    assert found == pytest.approx(0.8413, abs=0.01)
    shuffled = labels[torch.randperm(20_000, generator=noise)]
    assert probe(codes[:10_000], shuffled[:10_000], codes[10_000:], shuffled[10_000:]) == pytest.approx(0.5, abs=0.02)


def test_baselines_are_those_of_numpys_singular_values():
    noise = torch.Generator().manual_seed(0)
    mixing = torch.randn(12, 12, generator=noise)
    train, test = torch.randn(300, 12, generator=noise) @ mixing, torch.randn(50, 12, generator=noise) @ mixing
    found = baselines(train, test, (2, 5))
    x, y = train.numpy() - train.numpy().mean(0), test.numpy() - train.numpy().mean(0)
    axes = np.linalg.svd(x, full_matrices=False)[2]
    for number in (2, 5):
        expected = np.mean((y - y @ axes[:number].T @ axes[:number]) ** 2)
        assert found[f"pca_{number}"] == pytest.approx(expected, rel=1e-4)
    assert found["mean_image"] == pytest.approx(np.mean(y**2), rel=1e-5)
    assert found["black"] == pytest.approx(np.mean(test.numpy() ** 2), rel=1e-5)
    assert baselines(train.view(-1, 1, 3, 4), test.view(-1, 1, 3, 4), (2, 5)) == found
    with pytest.raises(InputError, match="Expected images of as many pixels, got 12 and 11"):
        baselines(train, test[:, 1:], (2, 5))


def test_codes_without_labels_are_refused():
    with pytest.raises(InputError, match="Expected finite codes, got inf or NaN"):
        probe(torch.full((2, 1), torch.inf), torch.zeros(2).long(), torch.zeros(2, 1), torch.zeros(2).long())
    with pytest.raises(InputError, match="Expected a label for each code, got 4 and 2 codes with 3 and 2 labels"):
        probe(torch.zeros(4, 1), torch.zeros(3).long(), torch.zeros(2, 1), torch.zeros(2).long())
